package slots

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// startStubs returns n nodes that agree on a healthy cluster in epoch 1 where each has an equal part of the slots.
func startStubs(t testing.TB, n int) []*stubNode {
	t.Helper()
	nodes := make([]*stubNode, n)
	shards := make([][]*stubNode, n)
	for i := range nodes {
		nodes[i] = startStub(t)
		shards[i] = []*stubNode{nodes[i]}
	}
	for _, node := range nodes {
		node.says("ok", 1, shards...)
	}
	return nodes
}

func TestLoad(t *testing.T) {
	n := startStubs(t, 3)
	before := time.Now()
	table := mustLoad(t, newTestCluster(t, n[0].addr))
	if table.Covered() != NumSlots || table.Epoch != 1 || table.Loaded.Before(before) {
		t.Errorf("%s, loaded %s", table.describe(), table.Loaded)
	}
	for i, node := range n {
		slot := uint16(i * NumSlots / 3)
		if got := table.ShardOf(slot).Primary; got.Addr != node.addr || got.ID != node.id() || !got.Healthy {
			t.Errorf("slot %d at %+v, want %s", slot, got, node.addr)
		}
	}
}

func TestLoadTakesAnyLivingSeed(t *testing.T) {
	n := startStubs(t, 1)
	hanging := startStub(t)
	hanging.setHang(true)
	seeds := []string{n[0].addr, hanging.addr}
	for range 6 {
		seeds = append(seeds, deadAddr())
	}
	for range 5 { // seeds are shuffled
		c := newTestClusterWithin(t, testConnectTimeout, seeds...)
		began := time.Now()
		if got := mustLoad(t, c).ShardOf(0).Primary.Addr; got != n[0].addr {
			t.Errorf("slot 0 at %s", got)
		}
		if took := time.Since(began); took > testConnectTimeout/2 {
			t.Errorf("the load took %s", took)
		}
	}
}

func TestLoadIsNotHeldUpByNodesThatHang(t *testing.T) {
	var seeds []string
	for range 5 {
		hanging := startStub(t)
		hanging.setHang(true)
		seeds = append(seeds, hanging.addr)
	}
	n := startStubs(t, 3)
	began := time.Now()
	mustLoad(t, newTestClusterWithin(t, testConnectTimeout, append(seeds, n[0].addr)...))
	if took := time.Since(began); took > testConnectTimeout/2 {
		t.Errorf("the load took %s", took)
	}
}

// TestLoadAsksAgain: a question to a node that was not there yet does not keep one from being asked of it when it is.
func TestLoadAsksAgain(t *testing.T) {
	n := startStubs(t, 1)[0]
	n.setHang(true)
	c := newTestClusterWithin(t, testConnectTimeout, n.addr)
	type result struct {
		table *Table
		err   error
	}
	loaded := make(chan result, 1)
	began := time.Now()
	go func() {
		table, err := c.Load(t.Context())
		loaded <- result{table, err}
	}()
	eventually(t, "the node is asked", func() bool { return n.commands() != "" })
	n.setHang(false)
	if r := <-loaded; r.err != nil || r.table.Covered() != NumSlots {
		t.Errorf("got %v, %v", r.table, r.err)
	}
	if took := time.Since(began); took > testConnectTimeout/2 {
		t.Errorf("the load took %s", took)
	}
}

func TestLoadWithoutALivingNode(t *testing.T) {
	hanging := startStub(t)
	hanging.setHang(true)
	dead := deadAddr()
	c := newTestClusterWithin(t, time.Second, dead, hanging.addr)
	began := time.Now()
	table, err := c.Load(t.Context())
	if table != nil || !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), dead) {
		t.Errorf("got %v, %v", table, err)
	}
	if took := time.Since(began); took > testConnectTimeout/2 {
		t.Errorf("the failure took %s", took)
	}
	if _, err := newTestCluster(t).Load(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without seeds: %v", err)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	hanging := startStub(t)
	hanging.setHang(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := newTestCluster(t, hanging.addr).Load(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > testConnectTimeout/2 {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestLoadFindsTheMajority(t *testing.T) {
	n := startStubs(t, 4)
	shards := func(first *stubNode) [][]*stubNode { return [][]*stubNode{{first}, {n[1]}, {n[2]}} }
	n[0].says("fail", 9, shards(n[0])...) // cut off, and its replica ran for election in vain
	for _, node := range n[1:] {
		node.says("ok", 2, shards(n[3])...)
	}
	table := mustLoad(t, newTestCluster(t, n[0].addr)) // the only seed is the wrong one to ask
	if got := table.ShardOf(0).Primary.Addr; got != n[3].addr || table.Epoch != 2 {
		t.Errorf("slot 0 at %s in epoch %d, want the majority's %s", got, table.Epoch, n[3].addr)
	}
}

func TestLoadPrefersTheHigherEpoch(t *testing.T) {
	n := startStubs(t, 3)
	n[2].says("ok", 2, []*stubNode{n[1]}, []*stubNode{n[2]})
	if table := mustLoad(t, newTestCluster(t, n[0].addr)); table.Epoch != 2 || table.ShardOf(0).Primary.Addr != n[1].addr {
		t.Errorf("%s", table.describe())
	}
}

func TestLoadKeepsABetterTable(t *testing.T) {
	n := startStubs(t, 3)
	c := newTestCluster(t, n[0].addr)
	table := mustLoad(t, c)
	n[1].stop()
	n[2].stop()
	n[0].says("fail", 1, []*stubNode{n[0]})
	if got := mustLoad(t, c); got != table {
		t.Errorf("a cut-off node's view was believed: %s", got.describe())
	}
	n[0].says("ok", 0, []*stubNode{n[0]})
	if got := mustLoad(t, c); got != table {
		t.Errorf("an older epoch was believed: %s", got.describe())
	}
	n[0].says("ok", 2, []*stubNode{n[0]})
	if got := mustLoad(t, c); got == table || len(got.Shards) != 1 {
		t.Errorf("a newer epoch was not believed: %s", got.describe())
	}
}

func TestLoadFindsItsWayByKnownNodes(t *testing.T) {
	n := startStubs(t, 3)
	c := newTestCluster(t, n[0].addr)
	mustLoad(t, c)
	n[0].stop() // the only seed
	shards := [][]*stubNode{{n[1]}, {n[2]}}
	n[1].says("ok", 2, shards...)
	n[2].says("ok", 2, shards...)
	for range 3 {
		if got := mustLoad(t, c); len(got.Shards) != 2 {
			t.Fatalf("%s", got.describe())
		}
	}
}

func TestConnectionsAreKeptAndDropped(t *testing.T) {
	n := startStubs(t, 3)
	c := newTestCluster(t, n[0].addr)
	for range 10 {
		mustLoad(t, c)
	}
	for i, node := range n {
		if got := node.dialed(); got > 1 {
			t.Errorf("node %d was dialed %d times in 10 loads", i, got)
		}
	}
	n[1].cut()
	for range 10 {
		mustLoad(t, c)
	}
	if got := n[1].dialed(); got > 3 {
		t.Errorf("node 1 was dialed %d times after its connection was cut", got)
	}
	for _, node := range n[:2] {
		node.says("ok", 2, []*stubNode{n[0]}, []*stubNode{n[1]})
	}
	n[2].setHang(true)
	c.pace = usualPace
	for range 3 {
		mustLoad(t, c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes[n[2].addr] != nil || len(c.nodes) != 2 {
		t.Errorf("%d clients are kept, want those of 2 nodes", len(c.nodes))
	}
}

func TestOnlyPlainCommandsAreSent(t *testing.T) {
	n := startStubs(t, 1)
	mustLoad(t, newTestCluster(t, n[0].addr))
	if got, want := n[0].commands(), "HELLO 2, CLUSTER INFO, CLUSTER NODES, CLUSTER SHARDS"; strings.ToUpper(got) != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

const stubSlotsReply = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:7001\r\n"

func TestServersWithoutClusterShards(t *testing.T) {
	n := startStub(t)
	n.says("ok", 1, []*stubNode{n})
	n.on("CLUSTER SHARDS", "-ERR Unknown subcommand or wrong number of arguments for 'SHARDS'. Try CLUSTER HELP.\r\n")
	n.on("CLUSTER SLOTS", stubSlotsReply)
	if got := mustLoad(t, newTestCluster(t, n.addr)).ShardOf(0).Primary.Addr; got != "127.0.0.1:7001" {
		t.Errorf("slot 0 at %s", got)
	}
}

func TestClusterShardsThatForgetSlots(t *testing.T) {
	n := startStub(t)
	n.says("ok", 1, []*stubNode{n})
	n.on("CLUSTER SHARDS", "*0\r\n")
	n.on("CLUSTER SLOTS", stubSlotsReply)
	if got := mustLoad(t, newTestCluster(t, n.addr)).Covered(); got != NumSlots {
		t.Errorf("%d slots covered, want all that CLUSTER INFO calls assigned", got)
	}
}

func TestNodeThatIsNoCluster(t *testing.T) {
	n := startStub(t)
	for _, sub := range []string{"INFO", "NODES", "SHARDS", "SLOTS"} {
		n.on("CLUSTER "+sub, "-ERR This instance has cluster support disabled\r\n")
	}
	_, err := newTestCluster(t, n.addr).Load(t.Context())
	var reply ServerError
	if !errors.Is(err, ErrUnreachable) || !errors.As(err, &reply) || !strings.Contains(err.Error(), "cluster support disabled") {
		t.Errorf("got %v", err)
	}
}

func TestUserWhoMayNotAskForTheState(t *testing.T) {
	n := startStubs(t, 1)[0]
	n.on("CLUSTER INFO", "-NOPERM no\r\n")
	n.on("CLUSTER NODES", "-NOPERM no\r\n")
	if got := mustLoad(t, newTestCluster(t, n.addr)).Covered(); got != NumSlots {
		t.Errorf("%d slots covered", got)
	}
}

func TestCloseEndsALoad(t *testing.T) {
	hanging := startStub(t)
	hanging.setHang(true)
	c := NewCluster(ClusterConfig{Seeds: []string{hanging.addr}, ConnectTimeout: testConnectTimeout})
	result := make(chan error, 1)
	go loadInto(c, result)
	eventually(t, "the load asks its seed", func() bool { return hanging.dialed() > 0 })
	began := time.Now()
	c.Close()
	if err := <-result; err == nil {
		t.Error("Load succeeded")
	}
	if took := time.Since(began); took > testConnectTimeout/2 {
		t.Errorf("Close took %s", took)
	}
	if _, err := c.Load(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Load after Close: %v", err)
	}
	if _, err := c.Commands(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Commands after Close: %v", err)
	}
}

func loadInto(c *Cluster, result chan<- error) {
	_, err := c.Load(context.Background())
	result <- err
}
