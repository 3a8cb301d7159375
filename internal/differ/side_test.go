package differ

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// patience is how long a reply may take: a script that is stuck must not hold up the others for long.
const patience = 45 * time.Second

// maxScans bounds the calls of one iteration.
const maxScans = 100000

// side is one of the two that are compared, in one script.
type side struct {
	addr    string
	proto   resp.Proto
	servers []*redistest.Server // who answers in the end
	waiting func() int
	clients map[string]*proxytest.Client
	saved   map[string]string
}

// newSide makes a side. waiting, which may be nil, is how many clients wait without a server that blocks them.
func newSide(addr string, proto resp.Proto, servers []*redistest.Server, waiting func() int) *side {
	return &side{addr: addr, proto: proto, servers: servers, waiting: waiting, clients: map[string]*proxytest.Client{}, saved: map[string]string{}}
}

// client returns the connection of that name, which speaks the script's protocol.
func (s *side) client(name string) (*proxytest.Client, error) {
	if c := s.clients[name]; c != nil {
		return c, nil
	}
	c, err := proxytest.Dial(s.addr)
	if err != nil {
		return nil, err
	}
	s.clients[name] = c
	c.SetPatience(patience)
	if s.proto == resp.RESP3 {
		v, err := c.Do("HELLO", "3")
		if err != nil || v.Kind != '%' {
			return nil, fmt.Errorf("HELLO 3: %+v, %w", v, err)
		}
	}
	return c, nil
}

func (s *side) close() {
	for _, c := range s.clients {
		c.Close()
	}
}

// args are the arguments of a step for this side.
func (s *side) args(st *step) (args []string, err error) {
	for _, w := range st.words {
		if args, err = w.appendTo(args, s.saved); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// take plays a step and returns its replies.
func (s *side) take(st *step) (replies [][]byte, err error) {
	c, err := s.client(st.on)
	if err != nil {
		return nil, err
	}
	if st.silent {
		return s.hear(c, st)
	}
	args, err := s.args(st)
	if err != nil {
		return nil, err
	}
	if st.scan {
		return s.iterate(c, args)
	}
	before, err := s.blocked(st)
	if err == nil {
		err = c.SendCommand(args...)
	}
	until := time.Now().Add(patience)
	for now := before; err == nil && st.waits && now == before; {
		if now, err = s.blocked(st); time.Now().After(until) {
			err = errors.New("no server blocks the client")
		}
	}
	if err != nil {
		return nil, err
	}
	return s.hear(c, st)
}

// blocked is how many clients are blocked now, by servers or otherwise, if a step is about that.
func (s *side) blocked(st *step) (n int, err error) {
	if !st.waits {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s.waiting != nil {
		n = s.waiting()
	}
	for _, server := range s.servers {
		info, err := server.Client().Info(ctx, "clients").Result()
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(info, "blocked_clients:")
		number, _, _ := strings.Cut(rest, "\r")
		one, err := strconv.Atoi(number)
		if err != nil {
			return 0, err
		}
		n += one
	}
	return n, nil
}

// hear reads the replies of a step that was sent.
func (s *side) hear(c *proxytest.Client, st *step) (replies [][]byte, err error) {
	for range st.replies {
		raw, err := c.ReadRaw()
		if err != nil {
			return replies, err
		}
		replies = append(replies, append([]byte(nil), raw...))
	}
	if st.closes {
		if raw, err := c.ReadRaw(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			return replies, fmt.Errorf("the connection is not closed: %.100q, %w", raw, err)
		}
		delete(s.clients, st.on)
		return replies, c.Close()
	}
	if st.save != "" {
		v, _, err := resp.ReadValue(replies[0])
		if err != nil {
			return replies, err
		}
		s.saved[st.save] = v.Str
	}
	return replies, nil
}

// iterate calls SCAN or one of its like to the end, and returns one array of all that it brought.
func (s *side) iterate(c *proxytest.Client, args []string) ([][]byte, error) {
	at := 2
	if len(args[0]) == len("SCAN") {
		at = 1
	}
	var elems []resp.Value
	for range maxScans {
		v, err := c.Do(args...)
		if err != nil {
			return nil, err
		}
		if len(v.Elems) != 2 {
			return nil, fmt.Errorf("%q answers %+v", args, v)
		}
		step := 1
		if args[0] == "HSCAN" || args[0] == "ZSCAN" {
			step = 2
		}
		for i := 0; i < len(v.Elems[1].Elems); i += step {
			elems = append(elems, resp.Value{Kind: '*', Elems: v.Elems[1].Elems[i : i+step]})
		}
		if args[at] = v.Elems[0].Str; args[at] == "0" {
			return [][]byte{appendScanned(elems)}, nil
		}
	}
	return nil, fmt.Errorf("%q: the cursor is never 0", args[0])
}

// appendScanned encodes what a scan brought as one reply.
func appendScanned(elems []resp.Value) []byte {
	b := resp.AppendArrayHeader(nil, len(elems))
	for _, e := range elems {
		b = resp.AppendArrayHeader(b, len(e.Elems))
		for _, text := range e.Elems {
			b = resp.AppendBulkString(b, text.Str)
		}
	}
	return b
}

// ended checks that nothing was said besides the replies that were read.
func (s *side) ended() error {
	for name, c := range s.clients {
		marker := "nothing more on " + strconv.Quote(name)
		v, err := c.Do("ECHO", marker)
		if err != nil {
			return fmt.Errorf("after the script: %w", err)
		}
		if v.Str != marker {
			return fmt.Errorf("after the script one reply too many: %.200q", fmt.Sprintf("%+v", v))
		}
	}
	return nil
}

// sendAll sends what a pipelined script says. It runs beside the reading: neither server takes more than so much while
// its replies are not read.
func (s *side) sendAll(c *proxytest.Client, wire []byte, sent chan<- error) { sent <- c.Send(wire) }
