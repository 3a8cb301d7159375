package dispatcher

import (
	"testing"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestUnblockWithoutReply: a CLIENT UNBLOCK that may still reach the node must not hit whoever has the connection next.
func TestUnblockWithoutReply(t *testing.T) {
	answer, told := make(chan struct{}), make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{{
		redistest.Expect("HELLO", "2"), redistest.Expect("BLPOP", "k", "0"), redistest.Reply("*2\r\n$2\r\nid\r\n:7\r\n"),
		redistest.Await(answer), redistest.Reply("*-1\r\n"), redistest.AwaitClose(),
	}}})
	r := newRig(t, Config{}, backend.Config{IdleLeases: 1}, newChart(func(string) {}))
	e := r.d.NewErrand(backend.Profile{})
	st := e.newStay(leg{addr: node.Addr, profile: e.profile, wire: resp.AppendCommand(nil, "BLPOP", "k", "0")},
		func(*stay, []byte, *backend.Chunk, *backend.LostError) { close(told) })
	st.begin()
	asked := 0
	_, err := st.unblock(patience, nil, func(...[]byte) ([]byte, error) {
		if asked++; asked == 1 { // the client's element comes at this very moment
			close(answer)
			<-told
		}
		return nil, errNoReply
	})
	if err == nil || asked != 1 || !st.isOver() {
		t.Errorf("asked %d times, error %v", asked, err)
	}
	if err := node.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}
