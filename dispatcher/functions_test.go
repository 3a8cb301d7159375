package dispatcher

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// listOf is a reply to FUNCTION LIST WITHCODE.
func listOf(libraries ...string) string {
	b := resp.AppendArrayHeader(nil, len(libraries))
	for _, name := range libraries {
		b = resp.AppendArrayHeader(b, 8)
		for _, w := range []string{"library_name", name, "engine", "LUA", "functions"} {
			b = resp.AppendBulkString(b, w)
		}
		b = resp.AppendArrayHeader(b, 0)
		b = resp.AppendBulkString(b, "library_code")
		b = resp.AppendBulkString(b, "code-of-"+name)
	}
	return string(b)
}

// functionStage is two nodes with libraries, the second of which has not been a primary.
type functionStage struct {
	t     *testing.T
	rig   *rig
	chart *chart
	a, b  *peer

	mu sync.Mutex
	// Guarded by mu.
	heard []string
}

func newFunctionStage(t *testing.T) *functionStage {
	st := &functionStage{t: t, chart: newChart(func(string) {})}
	hear := func(p *peer, args []string) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.heard = append(st.heard, p.name+": "+strings.Join(args, " "))
	}
	st.a, st.b = newPeer(t, "a", hear), newPeer(t, "b", hear)
	st.rig = newRig(t, Config{RedirectTimeout: patience}, backend.Config{}, st.chart)
	st.chart.assign(slotOf, st.a.addr)
	return st
}

// expect waits for a command at a node and answers it.
func (st *functionStage) expect(p *peer, command, answer string) {
	st.t.Helper()
	command = p.name + ": " + command
	poll(st.t, command, func() bool { return st.took(command) })
	if err := p.answer(answer); err != nil { // without st.mu, which p takes while it hears
		st.t.Fatal(err)
	}
}

// took takes a command off those that were heard, and reports whether it was there.
func (st *functionStage) took(command string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	i := slices.Index(st.heard, command)
	if i < 0 {
		return false
	}
	st.heard = slices.Delete(st.heard, i, i+1)
	return true
}

func (st *functionStage) nothingElse() {
	st.t.Helper()
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.heard) > 0 {
		st.t.Errorf("besides, the nodes heard %q", st.heard)
	}
}

const listLibraries = "FUNCTION LIST WITHCODE"

// TestFunctionsOfANewPrimary are looked after before they are called, once functions are in use.
func TestFunctionsOfANewPrimary(t *testing.T) {
	st := newFunctionStage(t)
	st.rig.d.functions.used.Store(true)
	st.chart.assign(1, st.b.addr)
	st.expect(st.a, listLibraries, listOf("one", "two"))
	st.expect(st.b, listLibraries, listOf("two"))
	st.expect(st.b, "FUNCTION LOAD code-of-one", "$3\r\none\r\n")
	st.nothingElse()
}

// TestFunctionThatANodeLacks makes its caller wait until the node has it.
func TestFunctionThatANodeLacks(t *testing.T) {
	st := newFunctionStage(t)
	st.chart.assign(1, st.b.addr)
	s := st.rig.newSession()
	defer s.close()
	call := string(resp.AppendCommand(nil, "FCALL", "f", "1", "key"))
	s.say([]byte(call + "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"))
	st.expect(st.a, "FCALL f 1 key", "-ERR Function not found\r\n")
	st.expect(st.a, "GET key", "+v\r\n")
	st.expect(st.a, listLibraries, listOf())
	st.expect(st.b, listLibraries, listOf("lib"))
	st.expect(st.a, "FUNCTION LOAD code-of-lib", "$3\r\nlib\r\n")
	st.expect(st.a, "FCALL f 1 key", ":1\r\n")
	s.wantReplies(t, 2, ":1\r\n+v\r\n")
	st.nothingElse()
}

// TestFunctionThatNobodyHas is looked for once in a while, however often it is called.
func TestFunctionThatNobodyHas(t *testing.T) {
	st := newFunctionStage(t)
	st.chart.assign(1, st.b.addr)
	s := st.rig.newSession()
	defer s.close()
	const notFound = "-ERR Function not found\r\n"
	for round := range 3 {
		s.say(resp.AppendCommand(nil, "FCALL", "f", "1", "key"))
		st.expect(st.a, "FCALL f 1 key", notFound)
		if round == 0 {
			st.expect(st.a, listLibraries, listOf("lib"))
			st.expect(st.b, listLibraries, listOf("lib"))
			poll(t, "the look to be remembered", func() bool { return st.rig.d.functions.keepChecked(st.a.addr) })
			st.expect(st.a, "FCALL f 1 key", notFound)
		}
		s.wantReplies(t, 1, notFound)
	}
	st.nothingElse()
}

// keepChecked has a look that was made not be long ago for as long as the test runs, and reports whether there was one.
func (k *functionKeeper) keepChecked(addr string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.checked[addr] == 0 {
		return false
	}
	k.checked[addr] = backend.Now() + 2*int64(patience)
	return true
}

// TestFunctionsThatCannotBeCompared are the client's matter.
func TestFunctionsThatCannotBeCompared(t *testing.T) {
	st := newFunctionStage(t)
	st.chart.assign(1, st.b.addr)
	s := st.rig.newSession()
	defer s.close()
	s.say(resp.AppendCommand(nil, "FCALL_RO", "f", "1", "key"))
	st.expect(st.a, "FCALL_RO f 1 key", "-ERR Function not found\r\n")
	st.expect(st.a, listLibraries, "-NOPERM no\r\n")
	st.expect(st.b, listLibraries, listOf("lib"))
	st.expect(st.a, "FUNCTION LOAD code-of-lib", "-NOPERM no\r\n")
	poll(t, "the look to be remembered", func() bool { return st.rig.d.functions.keepChecked(st.a.addr) })
	st.expect(st.a, "FCALL_RO f 1 key", "-ERR Function not found\r\n")
	s.wantReplies(t, 1, "-ERR Function not found\r\n")
	st.nothingElse()
}

func TestLacking(t *testing.T) {
	replies := []NodeReply{
		{Addr: "a:1", Bytes: []byte(listOf("x", "y"))}, {Addr: "b:1", Bytes: []byte(listOf("y", "z"))}, {Addr: "c:1", Bytes: []byte(listOf())},
		{Addr: "d:1", Bytes: []byte("-ERR unknown command\r\n")},
	}
	for addr, want := range map[string][]string{
		"a:1": {"z"}, "b:1": {"x"}, "c:1": {"x", "y", "z"}, "d:1": {"x", "y", "z"}, "e:1": nil,
	} {
		got := lacking(replies, addr)
		for _, name := range want {
			if got[name] != "code-of-"+name {
				t.Errorf("%s lacks %v, want %v", addr, got, want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s lacks %v, want %v", addr, got, want)
		}
	}
}
