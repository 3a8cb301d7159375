package redistest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a child that dies with its parent.
type process struct {
	// Set at construction.
	cmd     *exec.Cmd
	started chan error
	done    chan struct{} // closed when the child has been reaped
}

// startProcess runs the program, its output going to out. It returns once the program is running.
func startProcess(program string, args []string, dir string, out *os.File) (*process, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	// A group of its own: an interrupt typed at the terminal is for the parent, which takes its children down in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	p := &process{cmd: cmd, started: make(chan error, 1), done: make(chan struct{})}
	go p.supervise()
	if err := <-p.started; err != nil {
		return nil, err
	}
	return p, nil
}

// supervise keeps its thread for the whole life of the child: the kernel sends the parent-death signal when the thread
// that started the child ends, not when the process does.
func (p *process) supervise() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	p.started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is in its log
	}
}

// kill sends SIGKILL and returns when the child is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
