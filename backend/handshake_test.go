package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// handshakes are profiles and what a connection says first because of them.
var handshakes = []struct {
	profile Profile
	want    []string // commands, words separated by spaces
}{
	{Profile{}, nil},
	{Profile{Proto: resp.RESP2}, nil},
	{Profile{Password: "pw"}, []string{"AUTH pw"}},
	{Profile{User: "u", Password: "pw"}, []string{"AUTH u pw"}},
	{Profile{User: "u"}, []string{"AUTH u "}},
	{Profile{Proto: 3}, []string{"HELLO 3"}},
	{Profile{Proto: 3, Password: "pw"}, []string{"HELLO 3 AUTH default pw"}},
	{Profile{Proto: 3, User: "u", Password: "pw"}, []string{"HELLO 3 AUTH u pw"}},
	{Profile{DB: 7}, []string{"SELECT 7"}},
	{Profile{ReadOnly: true}, []string{"READONLY"}},
	{Profile{NoTouch: true}, []string{"CLIENT NO-TOUCH ON"}},
	{Profile{Proto: 3, User: "u", Password: "pw", DB: 7, ReadOnly: true, NoTouch: true},
		[]string{"HELLO 3 AUTH u pw", "SELECT 7", "READONLY", "CLIENT NO-TOUCH ON"}},
}

// helloReply is a reply to a handshake command; that to HELLO is an aggregate.
func helloReply(cmd string) string {
	if strings.HasPrefix(cmd, "HELLO") {
		return "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nmodules\r\n*0\r\n"
	}
	return "+OK\r\n"
}

func TestHandshake(t *testing.T) {
	for _, tt := range handshakes {
		for _, bytewise := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/bytewise=%t", strings.Join(tt.want, ","), bytewise), func(t *testing.T) {
				var steps []redistest.Step
				replies := ""
				for _, cmd := range tt.want {
					steps = append(steps, redistest.Expect(strings.Split(cmd, " ")...))
					replies += helloReply(cmd)
				}
				if bytewise {
					steps = append(steps, redistest.ReplyBytewise(replies))
				} else {
					steps = append(steps, redistest.Reply(replies))
				}
				steps = append(steps, redistest.Expect("GET", "k"), redistest.Reply("+v\r\n"))
				node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{steps}})
				c := newCaller(t)
				k := c.call("GET", "k")
				send(t, startPool(t, Config{}).lane(node.Addr, tt.profile), k)
				k.wantReply(t, "+v\r\n")
			})
		}
	}
}

// TestHandshakeOfServers has a real server and a fake cluster judge handshakes.
func TestHandshakeOfServers(t *testing.T) {
	server := startServer(t, redistest.Config{Password: "pw", Conf: []string{"user u on >secret ~* +@all"}})
	cluster := redistest.StartFakeCluster(t, redistest.Password("pw"))
	for _, tt := range []struct {
		addr    string
		profile Profile
		refusal string // how it begins; empty: none
	}{
		{server.Addr, Profile{Password: "pw"}, ""},
		{server.Addr, Profile{User: "u", Password: "secret", DB: 3}, ""},
		{server.Addr, Profile{User: "u", Password: "secret", DB: 3, Proto: 3}, ""},
		{server.Addr, Profile{Password: "pw", Proto: 3, DB: 15}, ""},
		{server.Addr, Profile{Password: "wrong"}, "WRONGPASS "},
		{server.Addr, Profile{User: "u", Password: "pw", Proto: 3}, "WRONGPASS "},
		{server.Addr, Profile{Proto: 3}, "NOAUTH "},
		{server.Addr, Profile{Password: "pw", DB: 99}, "ERR DB index is out of range"},
		{server.Addr, Profile{Password: "pw", ReadOnly: true}, "ERR This instance has cluster support disabled"},
		{cluster.Addrs()[0], Profile{Password: "pw", Proto: 3, ReadOnly: true, NoTouch: true}, ""},
		{cluster.Addrs()[0], Profile{Password: "wrong", Proto: 3}, "WRONGPASS "},
	} {
		p := startPool(t, Config{})
		lane := p.lane(tt.addr, tt.profile)
		k := newCaller(t).call("CLIENT", "GETNAME")
		send(t, lane, k)
		verified := p.Verify(t.Context(), lane.node, tt.profile)
		if tt.refusal == "" {
			if k.wait(t); k.lost != nil || k.reply[0] != '$' && k.reply[0] != '_' {
				t.Errorf("%+v: %q %v", tt.profile, k.reply, k.lost)
			}
			if verified != nil {
				t.Errorf("%+v: Verify says %v", tt.profile, verified)
			}
			continue
		}
		k.wantLost(t, false, nil)
		for _, err := range []error{k.lost, verified} {
			if refused := (*HandshakeError)(nil); !errors.As(err, &refused) || !strings.HasPrefix(refused.Text, tt.refusal) {
				t.Errorf("%+v: %v, want %q", tt.profile, err, tt.refusal)
			}
		}
		if lane.node.Failing() {
			t.Errorf("%+v: a node that refuses a password counts as failing", tt.profile)
		}
	}
}

func startServer(t *testing.T, cfg redistest.Config) *redistest.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := redistest.LaunchServer(ctx, cfg)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// TestHandshakeRefused checks that all that waits fails with the refusal, that
// the connection is closed, and that the next task tries again.
func TestHandshakeRefused(t *testing.T) {
	refuse := []redistest.Step{redistest.Expect("AUTH", "pw"), redistest.Expect("SELECT", "1"),
		redistest.Reply("-WRONGPASS no\r\n-NOAUTH no\r\n"), redistest.AwaitClose()}
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{refuse, refuse}})
	lane := startPool(t, Config{}).lane(node.Addr, Profile{Password: "pw", DB: 1})
	c := newCaller(t)
	for i := range 2 {
		calls := threeCalls(c)
		send(t, lane, calls...)
		for _, k := range calls {
			k.wantLost(t, false, nil)
			if refused := (*HandshakeError)(nil); !errors.As(k.lost, &refused) || refused.Text != "WRONGPASS no" {
				t.Errorf("%v, want WRONGPASS", k.lost)
			}
		}
		lane.awaitDown(t)
		if s := lane.node.Stats(); s.ConnectFailures != uint64(i+1) || s.Connects != 0 {
			t.Errorf("%d failures and %d connects, want %d and 0", s.ConnectFailures, s.Connects, i+1)
		}
	}
	awaitScript(t, node) // both connections were closed
}

// TestHandshakeBreaks has a node end, or say nonsense, instead of the second
// handshake reply.
func TestHandshakeBreaks(t *testing.T) {
	for name, steps := range map[string][]redistest.Step{
		"close":     {redistest.Reply("+OK\r\n"), redistest.Close()},
		"half":      {redistest.Reply("+OK\r\n+O"), redistest.Close()},
		"reset":     {redistest.Reply("+OK\r\n"), redistest.Reset()},
		"malformed": {redistest.Reply("+OK\r\n?\r\n"), redistest.AwaitClose()},
	} {
		t.Run(name, func(t *testing.T) {
			steps = append([]redistest.Step{redistest.Expect("AUTH", "pw"), redistest.Expect("READONLY")}, steps...)
			node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{steps, steps}})
			p := startPool(t, Config{})
			profile := Profile{Password: "pw", ReadOnly: true}
			lane := p.lane(node.Addr, profile)
			k := newCaller(t).call("GET", "k")
			send(t, lane, k)
			k.wantLost(t, false, nil)
			if refused := (*HandshakeError)(nil); errors.As(k.lost, &refused) {
				t.Errorf("%v is no refusal", k.lost)
			}
			if p.Verify(t.Context(), lane.node, profile) == nil {
				t.Error("Verify was content")
			}
			awaitScript(t, node)
		})
	}
}

// TestHandshakeSilence has a node say nothing instead of the second handshake
// reply. On a machine that is late the commands may be late, too.
func TestHandshakeSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	var open atomic.Int32
	go func() {
		for nc, err := l.Accept(); err == nil; nc, err = l.Accept() {
			open.Add(1)
			_, _ = nc.Write([]byte("+OK\r\n"))
			go func() {
				_, _ = io.Copy(io.Discard, nc)
				_ = nc.Close()
				open.Add(-1)
			}()
		}
	}()
	p := startPool(t, Config{ConnectTimeout: time.Second / 2})
	profile := Profile{Password: "pw", ReadOnly: true}
	lane := p.lane(l.Addr().String(), profile)
	k := newCaller(t).call("GET", "k")
	send(t, lane, k)
	k.wantLost(t, false, nil)
	for _, err := range []error{k.lost, p.Verify(t.Context(), lane.node, profile)} {
		ne := net.Error(nil)
		if timeout := errors.As(err, &ne) && ne.Timeout(); !timeout && !errors.Is(err, ErrSilent) { // whichever is noticed first
			t.Errorf("%v is no timeout", err)
		}
	}
	eventually(t, "the ends of the connections", func() bool { return open.Load() == 0 })
}

// TestVerifyGivesUp ends Verify's context while the node says nothing.
func TestVerifyGivesUp(t *testing.T) {
	asked := make(chan struct{})
	node := redistest.StartScript(t, redistest.Script{Conns: [][]redistest.Step{{
		redistest.Expect("HELLO", "3"), redistest.Do(func() { close(asked) }), redistest.AwaitClose()}}})
	p := startPool(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer := make(chan error, 1)
	go p.verify(ctx, p.Node(node.Addr), Profile{Proto: 3}, answer)
	receive(t, "the handshake", asked)
	cancel()
	if err := receive(t, "Verify's answer", answer); err == nil {
		t.Error("Verify was content")
	}
	if err := p.Verify(ctx, p.Node(node.Addr), Profile{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func (p *Pool) verify(ctx context.Context, n *Node, profile Profile, answer chan<- error) {
	answer <- p.Verify(ctx, n, profile)
}
