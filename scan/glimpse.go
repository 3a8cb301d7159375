package scan

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"sync"

	"redis-cluster-proxy/resp"
)

// glimpse is what a node answered at one moment, and what it was then.
type glimpse struct {
	identity
	view    *view
	replies [][]byte // to the commands; may be errors
}

var (
	cmdPing   = command("PING")
	cmdInfo   = command("INFO", "server")
	cmdMulti  = command("MULTI")
	cmdNodes  = command("CLUSTER", "NODES")
	cmdExec   = command("EXEC")
	cmdDBSize = command("DBSIZE")
	cmdDBs    = command("INFO", "keyspace")
)

func command(words ...string) [][]byte {
	args := make([][]byte, len(words))
	for i, word := range words {
		args[i] = []byte(word)
	}
	return args
}

// glimpse asks a node, over one connection, who it is and, in one transaction,
// the commands and which slots it owns. A last question, with a key of slot, is
// refused by a node that could not serve the slot's keys: one that is not yet a
// part of the cluster again, say. A slot of -1 leaves that out.
func (w *walk) glimpse(addr string, slot int, commands ...[][]byte) (*glimpse, error) {
	asked := make([][][]byte, 0, len(commands)+5)
	asked = append(asked, cmdInfo, cmdMulti)
	asked = append(asked, commands...)
	asked = append(asked, cmdNodes, cmdExec, w.probe(slot))
	replies, err := w.c.Ask(w.ctx, addr, asked...)
	if err != nil {
		return nil, &trouble{err}
	}
	for _, reply := range replies {
		if err := refusal(reply); err != nil {
			return nil, err
		}
	}
	info, ok1 := bulk(replies[0])
	done, ok2 := elements(replies[len(replies)-2])
	if !ok1 || !ok2 || len(done) != len(commands)+1 {
		return nil, unexpected(addr, replies[len(replies)-2])
	}
	g := &glimpse{replies: done[:len(commands)]}
	nodes, ok := bulk(done[len(commands)])
	if ok {
		g.view, ok = parseView(string(nodes))
	}
	if !ok {
		return nil, unexpected(addr, done[len(commands)])
	}
	if g.identity, ok = parseIdentity(info); !ok {
		return nil, unexpected(addr, replies[0])
	}
	return g, nil
}

// refusal returns the error if reply is one that keeps a walk from going on: a
// trouble if it may be over in a moment.
func refusal(reply []byte) error {
	text, failed := errorText(reply)
	if !failed || harmless(text) {
		return nil
	}
	code, _, _ := strings.Cut(text, " ")
	switch code {
	case "MOVED", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN", "BUSY", "READONLY":
		return &trouble{errors.New(text)}
	}
	return errors.New(text)
}

// harmless reports whether an error reply to a question with a key says nothing
// against the node: it gives the slot away, which its view tells better, or the
// account may not see that key.
func harmless(text string) bool {
	return strings.HasPrefix(text, "ASK ") || strings.HasPrefix(text, "NOPERM ") && strings.Contains(text, " key")
}

func unexpected(addr string, reply []byte) error {
	return errors.New("ERR node " + addr + ": unexpected reply that begins with " + strconv.Quote(string(reply[:min(len(reply), 40)])))
}

// probes are commands that ask something about a key, one for each slot. MEMORY
// USAGE is one that neither counts as a miss nor makes the server notify anybody of
// one.
type probes struct {
	once   sync.Once
	bySlot [numSlots][][]byte
}

// probe returns the command for a slot. Two bytes are enough for a key in each.
func (w *walk) probe(slot int) [][]byte {
	if slot < 0 {
		return cmdPing
	}
	w.probes.once.Do(func() {
		for n := range 1 << 16 {
			key := []byte{byte(n >> 8), byte(n)}
			if p := &w.probes.bySlot[w.c.SlotOf(key)]; *p == nil {
				*p = [][]byte{[]byte("MEMORY"), []byte("USAGE"), key}
			}
		}
	})
	return w.probes.bySlot[slot]
}

// errorText returns the text of an error reply.
func errorText(reply []byte) (text string, failed bool) {
	if len(reply) == 0 || reply[0] != '-' {
		return "", false
	}
	return string(bytes.TrimSpace(reply[1:])), true
}

// bulk returns the contents of a bulk string.
func bulk(reply []byte) (s []byte, ok bool) {
	i := bytes.IndexByte(reply, '\n')
	if i < 0 || reply[0] != '$' || reply[1] == '-' {
		return nil, false
	}
	return reply[i+1 : len(reply)-2], true
}

// elements returns the elements of an array.
func elements(reply []byte) (elems [][]byte, ok bool) {
	kind, n, at, ok := resp.Header(reply)
	if !ok || kind != '*' {
		return nil, false
	}
	elems = make([][]byte, n)
	for i := range elems {
		size, err := resp.ReplyLen(reply[at:])
		if err != nil || size == 0 {
			return nil, false
		}
		elems[i] = reply[at : at+size : at+size]
		at += size
	}
	return elems, true
}

// integer returns the number of an integer reply.
func integer(reply []byte) (n int, ok bool) {
	if len(reply) == 0 || reply[0] != ':' {
		return 0, false
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(reply[1:])))
	return n, err == nil
}
