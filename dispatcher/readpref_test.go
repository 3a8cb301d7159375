package dispatcher

import (
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/internal/redistest"
)

// pick is a shard made by hand. Members are called by their addresses: those that begin with "near" are.
func pick(t *testing.T, prefer ReadPrefer) (d *Dispatcher, sh *shardRoute, byName map[string]*member) {
	pool := backend.NewPool(backend.Config{})
	t.Cleanup(pool.Close)
	d = &Dispatcher{cfg: Config{ReadPrefer: prefer}}
	byName = map[string]*member{}
	add := func(name string) *member {
		m := &member{node: pool.Node(name), near: strings.HasPrefix(name, "near")}
		byName[name] = m
		return m
	}
	sh = &shardRoute{primary: add("primary")}
	for _, name := range []string{"far1", "near1", "far2", "near2"} {
		sh.replicas = append(sh.replicas, add(name))
	}
	return d, sh, byName
}

// TestReaderChoice looks at who answers a read when some members are unfit.
func TestReaderChoice(t *testing.T) {
	for _, tc := range []struct {
		name   string
		prefer ReadPrefer
		unfit  string
		near   bool // the primary is near
		want   string
	}{
		{"any replica", PreferReplica, "", false, "far1 near1 far2 near2"},
		{"those that are fit", PreferReplica, "far1 near2", false, "near1 far2"},
		{"none is", PreferReplica, "far1 far2 near1 near2", false, "primary"},
		{"not the primary, however near", PreferReplica, "far1 near1 near2", true, "far2"},
		{"near ones", PreferReplicaIDC, "", false, "near1 near2"},
		{"the near one that is fit", PreferReplicaIDC, "near1", true, "near2"},
		{"else a near primary", PreferReplicaIDC, "near1 near2", true, "primary"},
		{"else far ones", PreferReplicaIDC, "near1 near2", false, "far1 far2"},
		{"else far ones, if the primary is unfit", PreferReplicaIDC, "near1 near2 primary", true, "far1 far2"},
		{"else a far primary", PreferReplicaIDC, "near1 near2 far1 far2", false, "primary"},
		{"even if it is unfit", PreferReplicaIDC, "near1 near2 far1 far2 primary", false, "primary"},
	} {
		virtually(t, tc.name, func(t *testing.T) {
			d, sh, members := pick(t, tc.prefer)
			sh.primary.near = tc.near
			for i, name := range strings.Fields(tc.unfit) {
				if i%2 == 0 {
					members[name].markUnfit()
				} else {
					members[name].unhealthy.Store(true)
				}
			}
			// Each reader holds on to its member, so they have to share.
			got := map[string]int32{}
			for seed := range uint32(40) {
				m := d.reader(sh, seed)
				m.reads.Add(1)
				got[m.node.Addr]++
			}
			want := strings.Fields(tc.want)
			for _, name := range want {
				if n := int(got[name]); n != 40/len(want) {
					t.Errorf("%s has %d of 40 reads", name, n)
				}
				delete(got, name)
			}
			if len(got) > 0 {
				t.Errorf("%v were asked, too", got)
			}
		})
	}
}

// TestReaderSeeds has sessions of different seeds spread over replicas that are all at rest.
func TestReaderSeeds(t *testing.T) {
	d, sh, _ := pick(t, PreferReplica)
	got := map[string]int{}
	for seed := range uint32(100) {
		got[d.reader(sh, seed).node.Addr]++
	}
	for name, n := range got {
		if n != 25 {
			t.Errorf("%s is the choice of %d of 100 sessions", name, n)
		}
	}
}

func TestReaderWithoutMembers(t *testing.T) {
	d := &Dispatcher{cfg: Config{ReadPrefer: PreferReplicaIDC}}
	if m := d.reader(&shardRoute{}, 0); m != nil {
		t.Errorf("got %v", m)
	}
}

// TestUnfitPasses has a member come back after a while.
func TestUnfitPasses(t *testing.T) {
	virtually(t, "", func(t *testing.T) {
		_, sh, _ := pick(t, PreferReplica)
		m := sh.primary
		if !m.fit() {
			t.Error("unfit from the start")
		}
		m.markUnfit()
		time.Sleep(unfitFor - 1)
		if m.fit() {
			t.Error("fit too early")
		}
		time.Sleep(2 * time.Nanosecond)
		if !m.fit() {
			t.Error("unfit for too long")
		}
	})
}

// TestLostReplicaComesBack cuts a replica off and lets it come back: reads find it again, without being sent there in
// crowds before.
func TestLostReplicaComesBack(t *testing.T) {
	cluster := redistest.StartFakeCluster(t, redistest.Primaries(1))
	r := newFakeRig(t, Config{ReadPrefer: PreferReplica}, cluster)
	replica := cluster.Node(1)
	s := r.newSession()
	defer s.close()
	read := func() {
		t.Helper()
		if v := s.do(t, "fake.read", "k", "x"); v.Str != "x" {
			t.Fatalf("a read is answered with %q", v.Str)
		}
	}
	poll(t, "a read at the replica", func() bool {
		read()
		return replica.Executed("fake.read") > 0
	})

	// An idle connection that is closed is no reason to stay away.
	replica.CutConns()
	before := replica.Executed("fake.read")
	poll(t, "the replica to be read again", func() bool {
		read()
		return replica.Executed("fake.read") > before
	})

	// While it is down, few reads try it.
	replica.Kill()
	began := time.Now()
	for range 200 {
		read()
	}
	if n := r.d.stats.Bounces[bounceLost].Load(); float64(n) > 10+time.Since(began).Seconds() {
		t.Errorf("%d reads were sent to a node that is down", n)
	}
	if err := replica.Revive(); err != nil {
		t.Fatal(err)
	}
	before = replica.Executed("fake.read")
	poll(t, "the replica to be read again", func() bool {
		read()
		return replica.Executed("fake.read") > before
	})
}

func TestRecentWrites(t *testing.T) {
	virtually(t, "", func(t *testing.T) {
		const window = int64(time.Second)
		var w recentWrites
		if w.within(1, window) {
			t.Error("a session that wrote nothing has written")
		}
		w.note(1, window)
		time.Sleep(time.Second)
		if !w.within(1, window) || w.within(2, window) {
			t.Error("within the window: want slot 1 only")
		}
		time.Sleep(time.Nanosecond)
		if w.within(1, window) {
			t.Error("past the window")
		}
		w.note(1, window)
		if !w.within(1, window) {
			t.Error("written again")
		}
		// Old ones are forgotten when there are many.
		for slot := range uint16(5000) {
			w.note(slot, window)
			time.Sleep(time.Millisecond)
		}
		if n := len(w.at); n > 2*minSweep {
			t.Errorf("%d writes are remembered, of which 1000 are recent", n)
		}
		for slot := uint16(4001); slot < 5000; slot++ {
			if !w.within(slot, window) {
				t.Fatalf("the write to slot %d was forgotten", slot)
			}
		}
	})
}
