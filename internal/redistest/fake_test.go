package redistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestFakeClusterServesGoRedis(t *testing.T) {
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", proto), func(t *testing.T) {
			c := StartFakeCluster(t, Password("s3cret"))
			ctx := testContext(t)
			client := redis.NewClusterClient(&redis.ClusterOptions{
				Addrs: c.Addrs()[:1], Password: "s3cret", Protocol: proto, ClientName: "me",
			})
			defer client.Close()
			for i := range 20 {
				setAndGet(t, client, fmt.Sprint(i), 1)
			}
			for _, m := range []map[string]*redis.CommandInfo{client.Command(ctx).Val()} {
				if m["get"] == nil || !m["get"].ReadOnly || m["mset"].StepCount != 2 {
					t.Errorf("COMMAND: %v", m)
				}
			}
			shards, err := client.ClusterShards(ctx).Result()
			if err != nil || len(shards) != 3 || len(shards[0].Nodes) != 2 || shards[0].Nodes[1].Role != "replica" {
				t.Errorf("CLUSTER SHARDS: %+v, %v", shards, err)
			}
			text, err := client.ClusterNodes(ctx).Result()
			must(t, err)
			if lines, err := parseNodes(text); err != nil || len(lines) != 6 {
				t.Errorf("CLUSTER NODES: %v, %v", lines, err)
			}
			if info := client.ClusterInfo(ctx).Val(); !strings.Contains(info, "cluster_state:ok") {
				t.Errorf("CLUSTER INFO: %s", info)
			}
			err = client.Watch(ctx, func(tx *redis.Tx) error {
				_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
					p.Set(ctx, "{t}1", "v", 0)
					p.Get(ctx, "{t}1")
					return nil
				})
				return err
			}, "{t}1")
			must(t, err)
			if w := c.Writes("{t}1"); len(w) != 1 || !w[0].Tx {
				t.Errorf("writes of the transaction: %v", w)
			}
		})
	}
}

// TestFakeSlotMigration walks one slot through a migration and looks at every answer on the way.
func TestFakeSlotMigration(t *testing.T) {
	c := StartFakeCluster(t)
	slot := Slot("tag")
	from := c.OwnerOf(slot)
	to := c.Primaries()[0]
	if to == from {
		to = c.Primaries()[1]
	}
	ask, moved := fmt.Sprintf("-ASK %d %s", slot, to.Addr), fmt.Sprintf("-MOVED %d %s", slot, from.Addr)
	replica := c.ReplicasOf(from)[0]
	expect := func(n *FakeNode, want string, lines ...string) {
		t.Helper()
		want += "\r\n"
		if got := talk(t, n.Addr, strings.Join(lines, "\r\n")+"\r\nQUIT\r\n", 1000); got != want+"+OK\r\n" {
			t.Errorf("%v to %s: %q, want %q", lines, n.Addr, got, want)
		}
	}
	expect(from, "+OK", "MSET {tag}1 a {tag}2 b")
	expect(to, moved, "GET {tag}1")
	expect(replica, moved, "GET {tag}1")
	expect(replica, "+OK\r\n$1\r\na\r\n"+moved, "READONLY", "GET {tag}1", "SET {tag}1 x")
	expect(from, "-CROSSSLOT Keys in request don't hash to the same slot", "MGET {tag}1 other")

	c.BeginMigrate(slot, to)
	expect(from, "$1\r\na\r\n"+ask, "GET {tag}1", "GET {tag}3")
	expect(from, "*2\r\n$1\r\na\r\n$1\r\nb", "MGET {tag}1 {tag}2")
	expect(to, moved+"\r\n+OK\r\n$-1\r\n"+moved, "GET {tag}1", "ASKING", "GET {tag}1", "GET {tag}1")
	if n := c.MigrateKeys(slot, 1); n != 1 {
		t.Errorf("MigrateKeys moved %d keys", n)
	}
	expect(from, ask+"\r\n$1\r\nb\r\n-"+ErrorTryAgain, "GET {tag}1", "GET {tag}2", "MGET {tag}1 {tag}2")
	expect(to, "+OK\r\n$1\r\na\r\n+OK\r\n-"+ErrorTryAgain, "ASKING", "GET {tag}1", "ASKING", "MGET {tag}1 {tag}2")
	expect(to, "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\na\r\n:2\r\n"+moved,
		"ASKING", "MULTI", "GET {tag}1", "APPEND {tag}1 !", "EXEC", "GET {tag}1")
	expect(from, "+OK\r\n"+ask+"\r\n-EXECABORT Transaction discarded because of previous errors.", "MULTI", "GET {tag}1", "EXEC")
	if !c.MigrateKey("{tag}2") || c.MigrateKey("{tag}2") {
		t.Error("MigrateKey: want true once, then false")
	}
	c.EndMigrate(slot)
	if got := c.OwnerOf(slot); got != to {
		t.Errorf("the owner is %v, want %v", got, to)
	}
	expect(to, "*2\r\n$2\r\na!\r\n$1\r\nb", "MGET {tag}1 {tag}2")
	expect(from, fmt.Sprintf("-MOVED %d %s", slot, to.Addr), "GET {tag}1")
	c.AnnounceHost("")
	expect(from, fmt.Sprintf("-MOVED %d :%d", slot, to.port), "GET {tag}1")
	c.Assign(nil, slot)
	expect(from, "-CLUSTERDOWN Hash slot not served", "GET {tag}1")
}

func TestFakeFaults(t *testing.T) {
	c := StartFakeCluster(t)
	n := c.OwnerOf(Slot("k"))
	const set, get = "SET k v\r\n", "GET k\r\n"
	expect := func(sent, want string) {
		t.Helper()
		if got := talk(t, n.Addr, sent+"QUIT\r\n", 1000); got != want {
			t.Errorf("%q: %q, want %q", sent, got, want)
		}
	}
	n.FailNext(2, ErrorTryAgain)
	expect("PING\r\n"+get+get+get, "+PONG\r\n-"+ErrorTryAgain+"\r\n-"+ErrorTryAgain+"\r\n$-1\r\n+OK\r\n")
	n.Refuse(ErrorLoading)
	expect(get, "-"+ErrorLoading+"\r\n+OK\r\n")
	n.Refuse("")
	c.SetDown(true)
	expect(get, "-"+ErrorClusterDown+"\r\n+OK\r\n")
	c.SetDown(false)
	n.CutAfterReplyBytes(7)
	expect(set+get, "+OK\r\n$1")
	expect(get, "$1\r\nv\r\n+OK\r\n")
	n.Intercept(func(r Request) Verdict {
		return Verdict{CutAfter: r.Args[0] == "SET", CutBefore: r.Args[0] == "DEL"}
	})
	expect("PING\r\n"+set, "+PONG\r\n")
	expect("PING\r\nDEL k\r\n", "+PONG\r\n")
	n.Intercept(nil)
	if got := len(c.Writes("k")); got != 2 {
		t.Errorf("%d writes, want 2", got)
	}
	if got := c.Errors("TRYAGAIN"); got != 2 {
		t.Errorf("%d TRYAGAIN, want 2", got)
	}
	if got := c.Executed("get"); got != 3 {
		t.Errorf("%d GET, want 3", got)
	}
}

func TestFakeHoldsAndPauses(t *testing.T) {
	c := StartFakeCluster(t)
	ctx := testContext(t)
	n := c.OwnerOf(Slot("k"))
	conn, err := net.Dial("tcp", n.Addr)
	must(t, err)
	defer conn.Close()

	n.HoldReplies()
	_, err = io.WriteString(conn, "SET k v\r\n")
	must(t, err)
	must(t, poll(ctx, "the write", func() error {
		if len(c.Writes("k")) == 0 {
			return errors.New("not executed")
		}
		return nil
	}))
	must(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
		t.Fatalf("a held reply came: %d bytes, %v", n, err)
	}
	n.ReleaseReplies()
	must(t, conn.SetReadDeadline(time.Time{}))
	reply := make([]byte, 5)
	_, err = io.ReadFull(conn, reply)
	must(t, err)

	n.Pause()
	_, err = io.WriteString(conn, "SET k w\r\n")
	must(t, err)
	if got, _ := n.Get("k"); got != "v" {
		t.Errorf("a paused node executed: k is %q", got)
	}
	n.CutConns()
	if _, err := io.ReadFull(conn, reply); err == nil {
		t.Error("a cut connection answered")
	}
	n.Resume()
	if got, _ := n.Get("k"); got != "v" {
		t.Errorf("what a cut connection had sent was executed: k is %q", got)
	}
}

func TestFakeFailover(t *testing.T) {
	c := StartFakeCluster(t)
	slot := Slot("k")
	old := c.OwnerOf(slot)
	replica := c.ReplicasOf(old)[0]
	talk(t, old.Addr, "SET k v\r\nQUIT\r\n", 100)
	replica.Lag(true)
	talk(t, old.Addr, "SET k lost\r\nQUIT\r\n", 100)
	old.Freeze()
	old.Kill()
	if _, err := net.Dial("tcp", old.Addr); err == nil {
		t.Error("a killed node accepts connections")
	}
	c.Failover(replica)
	if got := talk(t, replica.Addr, "GET k\r\nQUIT\r\n", 7); got != "$1\r\nv\r\n" {
		t.Errorf("GET at the new primary: %q", got)
	}
	must(t, old.Revive())
	if got := talk(t, old.Addr, "ROLE\r\nQUIT\r\n", 14); got != "*3\r\n$6\r\nmaster" {
		t.Errorf("a frozen node says of itself %q", got)
	}
	old.Thaw()
	if got := talk(t, old.Addr, "READONLY\r\nGET k\r\nQUIT\r\n", 12); got != "+OK\r\n$1\r\nv\r\n" {
		t.Errorf("GET at the old primary: %q", got)
	}
	if p, r := c.OwnerOf(slot), c.ReplicasOf(replica); p != replica || len(r) != 1 || r[0] != old {
		t.Errorf("after the failover: primary %v, replicas %v", p, r)
	}
	added, err := c.AddNode()
	must(t, err)
	c.MoveSlot(slot, added, nil)
	if err := c.RemoveNode(added); err == nil {
		t.Error("RemoveNode took a node that owns a slot")
	}
	c.MoveSlot(slot, replica, nil)
	must(t, c.RemoveNode(added))
}

// TestFakeCountsUnderMigration has clients count while their slot moves to and fro: no count may be lost or doubled.
func TestFakeCountsUnderMigration(t *testing.T) {
	c := StartFakeCluster(t)
	ctx := testContext(t)
	const clients, counts = 4, 100
	var wg sync.WaitGroup
	for range clients {
		client := clusterClient(t, c.Addrs(), "")
		wg.Go(func() { countUp(ctx, t, client, counts) })
	}
	slot := Slot("n")
	for i := range 50 {
		c.MoveSlot(slot, c.Primaries()[i%3], nil)
	}
	wg.Wait()
	if got, _ := c.OwnerOf(slot).Get("{n}"); got != strconv.Itoa(clients*counts) {
		t.Errorf("counted %s, want %d", got, clients*counts)
	}
	if got := len(c.Writes("{n}")); got != clients*counts {
		t.Errorf("%d writes recorded, want %d", got, clients*counts)
	}
}

func countUp(ctx context.Context, t *testing.T, client redis.UniversalClient, times int) {
	for range times {
		if err := poll(ctx, "INCR", func() error { return client.Incr(ctx, "{n}").Err() }); err != nil {
			t.Error(err)
			return
		}
	}
}
