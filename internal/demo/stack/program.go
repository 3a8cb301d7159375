package stack

import (
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is a child process that dies with its parent.
type program struct {
	// Set at construction.
	cmd     *exec.Cmd
	log     *logTail
	started chan error
	done    chan struct{} // closed when the child has been reaped
}

// startProgram returns once the program is running, its output going to out.
func startProgram(binary string, args []string, out io.Writer) (*program, error) {
	p := &program{cmd: exec.Command(binary, args...), log: &logTail{next: out}, started: make(chan error, 1), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// A group of its own: Ctrl-C at the terminal is for the parent, which ends its children in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(p.cmd.SysProcAttr)
	go p.supervise()
	return p, <-p.started
}

// supervise keeps its thread for the whole life of the child: the kernel sends the parent-death signal when the thread
// that started the child ends (prctl(2), PR_SET_PDEATHSIG), not when the process does.
func (p *program) supervise() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	p.started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is in its log
	}
}

// end asks the program to end, kills it after patience, and returns when it is gone.
func (p *program) end(patience time.Duration) {
	if p.cmd.Process == nil {
		return // it never started
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it ended before
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// logTail passes on what is written to it and keeps the end.
type logTail struct {
	// Set at construction.
	next io.Writer // may be nil

	mu sync.Mutex
	// Guarded by mu.
	kept []byte
}

const tailBytes = 4 << 10

func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, p...)
	l.kept = l.kept[max(0, len(l.kept)-tailBytes):]
	if l.next != nil {
		return l.next.Write(p)
	}
	return len(p), nil
}

func (l *logTail) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.kept))
}
