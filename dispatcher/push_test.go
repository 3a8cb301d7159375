package dispatcher

import (
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// TestPush: what answers nothing comes between whole replies, also while requests are under way and when the client wants
// no replies, and nothing comes after the end.
func TestPush(t *testing.T) {
	nodes := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, nodes)
	s := r.newSession()
	const push = ">1\r\n+news\r\n"
	row, err := r.lookup([][]byte{[]byte("DBSIZE")})
	if err != nil {
		t.Fatal(err)
	}
	place := s.pipe.Reserve(row)
	s.pipe.Push([]byte(push))
	s.pipe.Answer(place, Whole([]byte("+reply\r\n")))
	place = s.pipe.Reserve(row)
	s.pipe.part(place, []byte("*1\r\n"), nil, true)
	s.pipe.sendParts()
	s.pipe.Push([]byte(push))
	s.pipe.part(place, []byte(":1\r\n"), nil, false)
	s.pipe.Answer(place, Reply{})
	s.pipe.SetSilent(true)
	s.pipe.Local(nil, []byte("+unheard\r\n"))
	s.pipe.Push([]byte(push))
	s.close()
	s.pipe.Push([]byte(push))
	s.mu.Lock()
	defer s.mu.Unlock()
	if got, want := string(s.arrived), push+"+reply\r\n*1\r\n:1\r\n"+push+push; got != want || strings.Contains(string(s.gathered), "news") {
		t.Errorf("the client got %q, want %q", got, want)
	}
}
