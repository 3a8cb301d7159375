package dispatcher

import (
	"testing"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestAudience: who counts the receivers of a message is told where it went, and has the last word; errors stay what they
// are.
func TestAudience(t *testing.T) {
	for _, c := range []struct {
		request []string
		more    int
		node    string // the node's reply
		want    string
	}{
		{[]string{"PUBLISH", "foo", "x"}, 2, ":1\r\n", ":3\r\n"},
		{[]string{"PUBLISH", "foo", "x"}, -1, ":1\r\n", ":0\r\n"},
		{[]string{"PUBLISH", "foo", "x"}, -1, ":0\r\n", ":0\r\n"},
		{[]string{"PUBLISH", "foo", "x"}, 0, ":7\r\n", ":7\r\n"},
		{[]string{"SPUBLISH", "foo", "x"}, 1, ":0\r\n", ":1\r\n"},
		{[]string{"PUBLISH", "foo", "x"}, 1, "-NOPERM no\r\n", "-NOPERM no\r\n"},
		{[]string{"GET", "foo"}, 1, ":1\r\n", ":1\r\n"},
	} {
		node := redistest.StartScript(t, redistest.Conversation(redistest.Expect(c.request...), redistest.Reply(c.node)))
		s := alone(t, node.Addr)
		s.pipe.d.SetAudience(func(addr string, shard bool, channel []byte) int {
			if addr != node.Addr || shard != (c.request[0] == "SPUBLISH") || string(channel) != "foo" {
				t.Errorf("%q: asked about %q at %s, sharded: %t", c.request, channel, addr, shard)
			}
			return c.more
		}, nil)
		s.say(resp.AppendCommand(nil, c.request...))
		poll(t, "the reply", func() bool { return s.replies() == 1 })
		if got := string(s.take()); got != c.want {
			t.Errorf("%q: %q, want %q", c.request, got, c.want)
		}
	}
}
