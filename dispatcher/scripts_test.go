package dispatcher

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

func newScriptSet(limit int) *scriptSet {
	s := &scriptSet{}
	s.init(limit)
	return s
}

func shaOf(body string) []byte {
	sum := sha1.Sum([]byte(body))
	return []byte(hex.EncodeToString(sum[:]))
}

func TestScriptSet(t *testing.T) {
	s := newScriptSet(1 << 20)
	table := command.Builtin()
	ask := func(line ...string) *script {
		t.Helper()
		args := make([][]byte, len(line))
		for i, w := range line {
			args[i] = []byte(w)
		}
		row, err := table.Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		return s.of(row, args)
	}
	sha := string(shaOf("return 1"))
	if sc := ask("EVALSHA", sha, "0"); sc != nil {
		t.Errorf("%+v before it was seen", sc)
	}
	for _, keys := range []string{"-1", "1", "x", ""} {
		if sc := ask("EVAL", "return 1", keys); sc != nil {
			t.Errorf("%+v with %q keys, which no node would run", sc, keys)
		}
	}
	seen := ask("EVAL", "return 1", "0")
	if seen == nil || seen.sha != sha || seen.body != "return 1" {
		t.Fatalf("%+v", seen)
	}
	for _, line := range [][]string{{"EVALSHA", sha, "0"}, {"evalsha_ro", strings.ToUpper(sha), "1", "k"}, {"EVAL", "return 1", "1", "k"}, {"EVAL_RO", "return 1", "0"}} {
		if sc := ask(line...); sc != seen {
			t.Errorf("%q: %+v", line, sc)
		}
	}
	for _, line := range [][]string{{"EVALSHA", sha[1:], "0"}, {"EVALSHA", sha + "0", "0"}, {"EVALSHA", "", "0"}, {"FCALL", sha, "0"}, {"GET", sha}} {
		if sc := ask(line...); sc != nil {
			t.Errorf("%q: %+v", line, sc)
		}
	}
	s.drop(seen)
	s.drop(seen)
	if sc := ask("EVALSHA", sha, "0"); sc != nil || s.bytes != 0 {
		t.Errorf("%+v after it was dropped, %d bytes", sc, s.bytes)
	}
	ask("EVAL", "return 1", "0")
	s.clear()
	if sc := ask("EVALSHA", sha, "0"); sc != nil || s.bytes != 0 {
		t.Errorf("%+v after all were forgotten, %d bytes", sc, s.bytes)
	}
	s.drop(seen) // of before
	if s.bytes != 0 {
		t.Errorf("%d bytes", s.bytes)
	}
}

// TestScriptSetIsBounded: what is in use stays, whatever comes by once.
func TestScriptSetIsBounded(t *testing.T) {
	const limit = 100_000
	s := newScriptSet(limit)
	s.learn([]byte("return 'kept'"))
	for i := range 5000 {
		if s.learn([]byte(fmt.Sprintf("return '%d'", i))) == nil {
			t.Fatal("not learned")
		}
		if i%50 == 0 && s.find(shaOf("return 'kept'")) == nil {
			t.Fatalf("the one in use was forgotten after %d others", i)
		}
		if s.bytes > limit || len(s.bySHA) != len(s.byBody) || len(s.bySHA) != s.order.Len() {
			t.Fatalf("%d bytes, %d, %d and %d scripts", s.bytes, len(s.bySHA), len(s.byBody), s.order.Len())
		}
	}
	if s.find(shaOf("return '0'")) != nil || s.find(shaOf("return '4999'")) == nil {
		t.Error("not the oldest was forgotten")
	}
	if s.learn(make([]byte, limit/4+1)) != nil {
		t.Error("one too long was remembered")
	}
}

func TestScriptSetKnowsNodes(t *testing.T) {
	s := newScriptSet(1 << 20)
	pool := backend.NewPool(backend.Config{})
	defer pool.Close()
	a, b := pool.Node("a:1"), pool.Node("b:1")
	sc := s.learn([]byte("return 1"))
	if s.isAt(sc, a) {
		t.Error("known at a node that has shown nothing")
	}
	s.note(sc, a, a.Losses())
	s.note(sc, a, a.Losses())
	if !s.isAt(sc, a) || s.isAt(sc, b) {
		t.Error("known at the wrong nodes")
	}
	s.note(sc, b, b.Losses()+1) // as of another life of the node
	if s.isAt(sc, b) {
		t.Error("known at a node that may have restarted")
	}
	s.miss(sc, a)
	if s.isAt(sc, a) {
		t.Error("known at a node that said it is not")
	}
}

// TestScriptSetConcurrently is for the race detector.
func TestScriptSetConcurrently(t *testing.T) {
	s := newScriptSet(20_000)
	pool := backend.NewPool(backend.Config{})
	defer pool.Close()
	n := pool.Node("a:1")
	var working sync.WaitGroup
	for g := range 4 {
		working.Go(func() {
			for i := range 2000 {
				body := fmt.Sprintf("return %d", (i*7+g)%100)
				sc := s.learn([]byte(body))
				s.note(sc, n, 0)
				s.isAt(sc, n)
				s.find(shaOf(body))
				switch i % 100 {
				case 7:
					s.drop(sc)
				case 8:
					s.miss(sc, n)
				case 99:
					s.clear()
				}
			}
		})
	}
	working.Wait()
	if s.bytes > s.limit {
		t.Errorf("%d bytes", s.bytes)
	}
}

// TestLearnAgainAllocatesNothing: EVAL of a known body costs a look into a map.
func TestLearnAgainAllocatesNothing(t *testing.T) {
	s := newScriptSet(1 << 20)
	body := []byte("return redis.call('GET', KEYS[1])")
	s.learn(body)
	sha := shaOf(string(body))
	if n := testing.AllocsPerRun(100, func() { s.learn(body); s.find(sha) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestScriptsAtNodes plays nodes that have a script or lack it.
func TestScriptsAtNodes(t *testing.T) {
	const body = "return 1"
	sha := string(shaOf(body))
	noScript := "NOSCRIPT No matching script. Please use EVAL."
	long := strings.Repeat("x", 2*refBytes)
	for _, tc := range []struct {
		name  string
		known bool // the node has shown the script
		ask   string
		says  []string // errors of the node; after them it is content
		heard []string
		reply string
	}{
		{"unseen at the node", false, "EVALSHA DIGEST 1 key a", nil, []string{"EVAL return 1 1 key a"}, "+OK\r\n"},
		{"seen at the node", true, "EVALSHA DIGEST 1 key a", nil, []string{"EVALSHA DIGEST 1 key a"}, "+OK\r\n"},
		{"forgotten by the node", true, "EVALSHA DIGEST 1 key a", []string{noScript}, []string{"EVALSHA DIGEST 1 key a", "EVAL return 1 1 key a"}, "+OK\r\n"},
		{"forgotten, read only", true, "evalsha_ro DIGEST 1 key", []string{noScript}, []string{"evalsha_ro DIGEST 1 key", "EVAL_RO return 1 1 key"}, "+OK\r\n"},
		{"long arguments", false, "EVALSHA DIGEST 1 key " + long, nil, []string{"EVAL return 1 1 key " + long}, "+OK\r\n"},
		{"may not eval", false, "EVALSHA DIGEST 1 key", []string{"NOPERM no eval"}, []string{"EVAL return 1 1 key", "EVALSHA DIGEST 1 key"}, "+OK\r\n"},
		{"may not eval, forgotten", true, "EVALSHA DIGEST 1 key", []string{noScript, "NOPERM no eval", noScript},
			[]string{"EVALSHA DIGEST 1 key", "EVAL return 1 1 key", "EVALSHA DIGEST 1 key"}, "-" + noScript + "\r\n"},
		{"moved", false, "EVALSHA DIGEST 1 key", []string{"MOVED 1 NODE"}, []string{"EVAL return 1 1 key", "EVAL return 1 1 key"}, "+OK\r\n"},
		{"fails", false, "EVALSHA DIGEST 1 key", []string{"WRONGTYPE no"}, []string{"EVAL return 1 1 key"}, "-WRONGTYPE no\r\n"},
		{"says NOSCRIPT itself", false, "EVALSHA DIGEST 1 key", []string{noScript}, []string{"EVAL return 1 1 key"}, "-" + noScript + "\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var mu sync.Mutex
			var heard []string
			says := tc.says
			node := newPeer(t, "node", func(_ *peer, args []string) {
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, strings.ReplaceAll(strings.Join(args, " "), sha, "DIGEST"))
			})
			chart := newChart(func(string) {})
			r := newRig(t, Config{RedirectTimeout: patience}, backend.Config{}, chart)
			chart.assign(slotOf, node.addr)
			s := r.newSession()
			defer s.close()
			if sc := r.d.scripts.learn([]byte(body)); tc.known {
				r.d.scripts.note(sc, r.pool.Node(node.addr), 0)
			}
			s.say(resp.AppendCommand(nil, strings.Fields(strings.ReplaceAll(tc.ask, "DIGEST", sha))...))
			for {
				poll(t, "a command or the reply", func() bool { n, _ := node.open(); return n > 0 || s.replies() > 0 })
				if s.replies() > 0 {
					break
				}
				answer := "+OK\r\n"
				if len(says) > 0 {
					answer = "-" + strings.ReplaceAll(says[0], "1 NODE", fmt.Sprint(slotOf, " ", node.addr)) + "\r\n"
					says = says[1:]
				}
				if err := node.answer(answer); err != nil {
					t.Fatal(err)
				}
			}
			if got := string(s.take()); got != tc.reply {
				t.Errorf("%q, want %q", got, tc.reply)
			}
			if fmt.Sprint(heard) != fmt.Sprint(tc.heard) {
				t.Errorf("the node heard %.200q, want %.200q", heard, tc.heard)
			}
			sc := r.d.scripts.find([]byte(sha))
			if at := r.d.scripts.isAt(sc, r.pool.Node(node.addr)); at != (tc.reply == "+OK\r\n") {
				t.Errorf("known at the node: %t", at)
			}
		})
	}
}

// TestScriptsOfALostNode: a node that has lost its connections may have lost its scripts.
func TestScriptsOfALostNode(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, c)
	s := r.newSession()
	defer s.close()
	n := r.pool.Node(c.OwnerOf(slotOf).Addr)
	s.do(t, "GET", "key")
	sc := r.d.scripts.learn([]byte("return 1"))
	r.d.scripts.note(sc, n, n.Losses())
	if !r.d.scripts.isAt(sc, n) {
		t.Error("not known at the node")
	}
	c.OwnerOf(slotOf).CutConns()
	poll(t, "the loss", func() bool { return !r.d.scripts.isAt(sc, n) })
}
