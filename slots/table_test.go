package slots

import (
	"fmt"
	"slices"
	"testing"
)

// newTestTable has a shard per entry of addrs: "primary replica replica". Slots are dealt in equal ranges.
func newTestTable(epoch uint64, shards ...[]string) *Table {
	t := NewTable(Hash)
	t.Epoch = epoch
	for i, addrs := range shards {
		s := &Shard{Primary: testNode(addrs[0])}
		for _, addr := range addrs[1:] {
			s.Replicas = append(s.Replicas, testNode(addr))
		}
		first, last := int64(i*NumSlots/len(shards)), int64((i+1)*NumSlots/len(shards)-1)
		t.addShard(s, [][2]int64{{first, last}})
	}
	t.arrange()
	return t
}

func testNode(addr string) *Node { return &Node{ID: "id-" + addr, Addr: addr, Healthy: true} }

func addrsOf(nodes []*Node) []string {
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addr)
	}
	return addrs
}

func TestEmptyTable(t *testing.T) {
	table := NewTable(Hash)
	if table.Covered() != 0 || len(table.Nodes()) != 0 || table.ShardFor([]byte("k")) != nil {
		t.Errorf("a new table covers %d slots with %d nodes", table.Covered(), len(table.Nodes()))
	}
	if table.ShardOf(NumSlots) != nil {
		t.Error("a slot out of range has a shard")
	}
}

func TestTableLooksUp(t *testing.T) {
	table := newTestTable(1, []string{"a:1", "a:2"}, []string{"b:1", "b:2"})
	if got := table.Covered(); got != NumSlots {
		t.Errorf("Covered() = %d, want all", got)
	}
	if got, want := addrsOf(table.Nodes()), []string{"a:1", "a:2", "b:1", "b:2"}; !slices.Equal(got, want) {
		t.Errorf("Nodes() = %v, want %v", got, want)
	}
	if got := table.ShardFor([]byte("foo")).Primary.Addr; got != "b:1" { // slot 12182
		t.Errorf("foo is at %s, want b:1", got)
	}
	if n := table.NodeAt("b:2"); n == nil || n.ID != "id-b:2" {
		t.Errorf("NodeAt(b:2) = %v", n)
	}
	if n := table.NodeAt("c:1"); n != nil {
		t.Errorf("NodeAt(c:1) = %v, want nil", n)
	}
}

func TestWithMoved(t *testing.T) {
	before := newTestTable(7, []string{"a:1", "a:2"}, []string{"b:1", "b:2"})
	for _, tt := range []struct {
		name, addr string
		shards     int
		id         string
	}{
		{"to another primary", "b:1", 2, "id-b:1"},
		{"to its own replica", "a:2", 3, "id-a:2"},
		{"to an unknown node", "c:1", 3, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			after := before.WithMoved(5, tt.addr)
			if got := after.ShardOf(5).Primary; got.Addr != tt.addr || got.ID != tt.id || !got.Healthy {
				t.Errorf("slot 5 is at %+v, want %s", got, tt.addr)
			}
			if len(after.Shards) != tt.shards {
				t.Errorf("%d shards, want %d", len(after.Shards), tt.shards)
			}
			if before.ShardOf(5).Primary.Addr != "a:1" || len(before.Shards) != 2 {
				t.Error("the original changed")
			}
			if after.ShardOf(4) != before.ShardOf(4) || after.ShardOf(6) != before.ShardOf(6) || after.Epoch != 7 {
				t.Error("other slots or the epoch changed")
			}
		})
	}
}

func TestWithMovedReusesTheNewShard(t *testing.T) {
	table := newTestTable(1, []string{"a:1"}).WithMoved(1, "c:1").WithMoved(2, "c:1")
	if len(table.Shards) != 2 || table.ShardOf(1) != table.ShardOf(2) {
		t.Errorf("%d shards, want one for both slots", len(table.Shards))
	}
}

func TestWithMovedSiblingsDoNotShareTheirAppends(t *testing.T) {
	base := newTestTable(1, []string{"a:1"})
	x, y := base.WithMoved(1, "x:1"), base.WithMoved(1, "y:1")
	if x.ShardOf(1).Primary.Addr != "x:1" || y.ShardOf(1).Primary.Addr != "y:1" {
		t.Error("one copy overwrote the other's shard")
	}
}

func TestWithMovedOfNoEffectIsTheSameTable(t *testing.T) {
	table := newTestTable(1, []string{"a:1"})
	if table.WithMoved(1, "a:1") != table || table.WithMoved(NumSlots, "b:1") != table || table.WithMoved(1, "") != table {
		t.Error("got a copy")
	}
}

func TestWithMovedCopiesLittle(t *testing.T) {
	table := newTestTable(1, []string{"a:1"}, []string{"b:1"})
	if n := testing.AllocsPerRun(10, func() { table.WithMoved(1, "b:1") }); n > 4 {
		t.Errorf("WithMoved allocates %v times", n)
	}
}

func TestShardsStandInSlotOrder(t *testing.T) {
	table := NewTable(Hash)
	table.addShard(&Shard{Primary: testNode("spare:1")}, nil)
	table.addShard(&Shard{Primary: testNode("b:1"), Replicas: []*Node{testNode("b:3"), testNode("b:2")}}, [][2]int64{{100, 200}})
	table.addShard(&Shard{Primary: testNode("a:1")}, [][2]int64{{300, 400}, {0, 9}})
	table.arrange()
	if got, want := addrsOf(table.Nodes()), []string{"a:1", "b:1", "b:2", "b:3", "spare:1"}; !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
	for slot, want := range map[uint16]string{0: "a:1", 9: "a:1", 10: "", 150: "b:1", 400: "a:1", 401: ""} {
		if got := table.primaryAddr(slot); got != want {
			t.Errorf("slot %d at %q, want %q", slot, got, want)
		}
	}
}

func TestSameLayoutAndSignature(t *testing.T) {
	base := func() *Table { return newTestTable(1, []string{"a:1", "a:2"}, []string{"b:1"}) }
	reordered := base()
	reordered.Shards[0], reordered.Shards[1] = reordered.Shards[1], reordered.Shards[0]
	for i := range reordered.Slot {
		reordered.Slot[i] = 1 - reordered.Slot[i]
	}
	down := base()
	down.Shards[0].Replicas[0].Healthy = false
	promoted := base()
	promoted.Shards[0].Primary, promoted.Shards[0].Replicas[0] = promoted.Shards[0].Replicas[0], promoted.Shards[0].Primary
	renamed := base()
	renamed.Shards[1].Primary.Addr = "b.example:1"
	uncovered := base()
	uncovered.Slot[77] = NoShard
	for _, tt := range []struct {
		name            string
		other           *Table
		same, signature bool
	}{
		{"equal", base(), true, true},
		{"other order of shards", reordered, true, true},
		{"a replica down", down, false, true},
		{"a replica promoted", promoted, false, false},
		{"one slot elsewhere", base().WithMoved(3, "b:1"), false, false},
		{"another name for a node", renamed, false, true},
		{"one slot uncovered", uncovered, false, false},
		{"empty", NewTable(Hash), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sameLayout(base(), tt.other); got != tt.same {
				t.Errorf("sameLayout = %t, want %t", got, tt.same)
			}
			if got := base().signature() == tt.other.signature(); got != tt.signature {
				t.Errorf("signatures equal = %t, want %t", got, tt.signature)
			}
		})
	}
}

func TestDescribeChange(t *testing.T) {
	before := newTestTable(1, []string{"a:1", "a:2"}, []string{"b:1", "b:2"})
	after := newTestTable(2, []string{"a:2"}, []string{"b:1", "b:2", "c:1"})
	after.Shards[1].Replicas[0].Healthy = false
	want := "8192 slots a:1 -> a:2; new c:1; gone a:1; now primary a:2; unhealthy b:2"
	if got := describeChange(before, after); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	swapped := newTestTable(1, []string{"a:2", "a:1"}, []string{"b:1", "b:2"})
	want = "8192 slots a:1 -> a:2; now primary a:2; now replica a:1"
	if got := describeChange(before, swapped); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got, want := after.describe(), "2 shards, 4 nodes, 16384 slots covered, epoch 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var many [][]string
	for i := range 20 {
		many = append(many, []string{fmt.Sprintf("n%02d:1", i)})
	}
	if got := describeChange(NewTable(Hash), newTestTable(1, many...)); len(got) > 300 {
		t.Errorf("a line of %d characters: %s", len(got), got)
	}
}

func TestLookUpDoesNotAllocate(t *testing.T) {
	table := newTestTable(1, []string{"a:1"}, []string{"b:1"})
	key := []byte("{user:1000}:cart")
	if n := testing.AllocsPerRun(100, func() { table.ShardFor(key) }); n != 0 {
		t.Errorf("ShardFor allocates %v times", n)
	}
}

func BenchmarkShardFor(b *testing.B) {
	table := newTestTable(1, []string{"a:1"}, []string{"b:1"})
	key := []byte("key:000000012345")
	b.ReportAllocs()
	for b.Loop() {
		table.ShardFor(key)
	}
}

func BenchmarkWithMoved(b *testing.B) {
	table := newTestTable(1, []string{"a:1"}, []string{"b:1"})
	b.ReportAllocs()
	for b.Loop() {
		table.WithMoved(1, "b:1")
	}
}
