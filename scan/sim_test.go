package scan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

var slotCache = map[string]int{}

func simSlot(key string) int {
	slot, ok := slotCache[key]
	if !ok {
		slot = int(redistest.Slot(key))
		slotCache[key] = slot
	}
	return slot
}

// simCluster is a cluster in memory whose slots, nodes and keys change while it
// is asked: before any command outside of a transaction, when happen says so.
type simCluster struct {
	rand    *rand.Rand
	nodes   []*simNode // those that were taken over are gone
	byAddr  map[string]*simNode
	made    int
	truth   [numSlots]*simNode
	slots   []int  // those that have keys
	happen  func() // what may happen before a command; may be nil
	asked   int    // commands that were executed
	slotted func() bool
}

func newSim(seed uint64, primaries int, slotted func() bool) *simCluster {
	c := &simCluster{rand: rand.New(rand.NewPCG(seed, 1)), byAddr: map[string]*simNode{}, slotted: slotted}
	for i := range primaries {
		n := c.addNode()
		for slot := i * numSlots / primaries; slot < (i+1)*numSlots/primaries; slot++ {
			n.give(slot, true)
			c.truth[slot] = n
		}
	}
	return c
}

func (c *simCluster) addNode() *simNode {
	c.made++
	n := &simNode{
		c: c, addr: fmt.Sprintf("node%d:1", c.made), id: fmt.Sprintf("%040d", c.made),
		leaving: map[int]*simNode{}, coming: map[int]*simNode{}, keys: map[int]map[string]string{},
	}
	c.nodes = append(c.nodes, n)
	c.byAddr[n.addr] = n
	c.reborn(n)
	return n
}

// reborn makes the node another process, perhaps of another version.
func (c *simCluster) reborn(n *simNode) {
	n.runID, n.hashes = fmt.Sprintf("%016x", c.rand.Uint64()), map[string]uint64{}
	n.slotted, n.version = c.slotted(), "7.0.15"
	if n.slotted {
		n.version = "7.4.1"
	}
}

// owner returns who owns the slot, of two that think so the one that got it last.
func (c *simCluster) owner(slot int) *simNode { return c.truth[slot] }

// set makes a key at its owner.
func (c *simCluster) set(key, kind string) {
	c.owner(simSlot(key)).put(key, kind)
}

// proxy is the cluster as one proxy knows it.
type simProxy struct {
	Walker
	c     *simCluster
	known simLayout
}

func (c *simCluster) proxy() *simProxy {
	p := &simProxy{c: c}
	p.refresh()
	return p
}

type simLayout struct {
	owners *[numSlots]string
	addrs  map[string]string
}

func (l simLayout) Owner(slot uint16) string { return l.owners[slot] }
func (l simLayout) Addr(id string) string    { return l.addrs[id] }

func (p *simProxy) refresh() {
	p.known = simLayout{owners: new([numSlots]string), addrs: map[string]string{}}
	for _, n := range p.c.nodes {
		p.known.addrs[n.id] = n.addr
		for slot, own := range n.own {
			if own && (p.known.owners[slot] == "" || p.c.owner(slot) == n) {
				p.known.owners[slot] = n.addr
			}
		}
	}
}

// moved is what a redirect does to what is known.
func (p *simProxy) moved(slot int, addr string) {
	owners := *p.known.owners
	owners[slot] = addr
	p.known.owners = &owners
}

func (p *simProxy) Layout() Layout           { return p.known }
func (p *simProxy) SlotOf(key []byte) uint16 { return uint16(simSlot(string(key))) }

func (p *simProxy) Ask(_ context.Context, addr string, commands ...[][]byte) ([][]byte, error) {
	n := p.c.byAddr[addr]
	var replies [][]byte
	inTx, asking, process := false, false, ""
	var results [][]byte
	for _, command := range commands {
		if !inTx && p.c.happen != nil {
			p.c.happen()
		}
		if n == nil || n.down || process != "" && process != n.runID { // a connection does not survive its process
			return nil, errors.New("CLUSTERDOWN node " + addr + " is unreachable")
		}
		process = n.runID
		p.c.asked++
		args := make([]string, len(command))
		for i, a := range command {
			args[i] = string(a)
		}
		wasAsking := asking
		asking = false
		switch {
		case args[0] == "MULTI":
			inTx, results = true, nil
			replies = append(replies, []byte("+OK\r\n"))
		case args[0] == "EXEC":
			inTx = false
			b := resp.AppendArrayHeader(nil, len(results))
			for _, r := range results {
				b = append(b, r...)
			}
			replies = append(replies, b)
		case args[0] == "ASKING":
			asking = true
			replies = append(replies, []byte("+OK\r\n"))
		case inTx:
			results = append(results, n.answer(args, false))
			replies = append(replies, []byte("+QUEUED\r\n"))
		default:
			replies = append(replies, n.answer(args, wasAsking))
		}
	}
	return replies, nil
}

func (p *simProxy) AskSlot(_ context.Context, slot uint16, command ...[]byte) ([]byte, error) {
	args := strings.Split(string(resp.AppendCommandBytes(nil, command)), "\r\n")
	owner := p.c.owner(int(slot))
	if owner == nil {
		return nil, errors.New("CLUSTERDOWN Hash slot not served")
	}
	if old := p.c.byAddr[p.known.owners[slot]]; old == nil || old.down {
		p.refresh()
	}
	p.moved(int(slot), owner.addr)
	if args[2] == "TYPE" {
		for _, n := range p.c.nodes {
			if kind, ok := n.keys[int(slot)][string(command[1])]; ok && kind != expired {
				return []byte("+" + kind + "\r\n"), nil
			}
		}
		return []byte("+none\r\n"), nil
	}
	return []byte(":0\r\n"), nil
}

// begin opens a slot with keys at both ends.
func (c *simCluster) begin() {
	slot := c.slots[c.rand.IntN(len(c.slots))]
	from, to := c.owner(slot), c.nodes[c.rand.IntN(len(c.nodes))]
	if to.own[slot] || from.leaving[slot] != nil {
		return
	}
	to.coming[slot], from.leaving[slot] = from, to
}

// open returns a slot that is moving, -1 if none is.
func (c *simCluster) open() (slot int, from, to *simNode) {
	for _, i := range c.rand.Perm(len(c.slots)) {
		for _, n := range c.nodes {
			if to := n.leaving[c.slots[i]]; to != nil {
				return c.slots[i], n, to
			}
		}
	}
	return -1, nil, nil
}

// move carries up to limit keys over, and when none is left gives the slot over
// in two steps.
func (c *simCluster) move(limit int) {
	slot, from, to := c.open()
	if slot < 0 {
		return
	}
	if c.truth[slot] != from { // half of it is done
		from.give(slot, false)
		delete(from.leaving, slot)
		return
	}
	for key, kind := range from.keys[slot] {
		if limit--; limit < 0 {
			return
		}
		delete(from.keys[slot], key)
		to.put(key, kind)
	}
	to.give(slot, true)
	c.truth[slot] = to
	delete(to.coming, slot)
}

// abort takes a slot back.
func (c *simCluster) abort() {
	slot, from, to := c.open()
	if slot < 0 || c.truth[slot] != from {
		return
	}
	for key, kind := range to.keys[slot] {
		from.put(key, kind)
	}
	delete(to.keys, slot)
	delete(to.coming, slot)
	delete(from.leaving, slot)
}

// failOver puts another process in a node's place.
func (c *simCluster) failOver() {
	i := c.rand.IntN(len(c.nodes))
	old := c.nodes[i]
	if len(old.leaving)+len(old.coming) > 0 {
		return
	}
	n := c.addNode()
	c.nodes = c.nodes[:len(c.nodes)-1]
	c.nodes[i] = n
	n.own, n.runs, n.keys = old.own, "", old.keys
	old.down = true
	for slot, owner := range c.truth {
		if owner == old {
			c.truth[slot] = n
		}
	}
}

// restart makes a node another process with the same data.
func (c *simCluster) restart() { c.reborn(c.nodes[c.rand.IntN(len(c.nodes))]) }

// resize changes the size of a node's tables.
func (c *simCluster) resize() { c.nodes[c.rand.IntN(len(c.nodes))].grown = c.rand.IntN(3) }
