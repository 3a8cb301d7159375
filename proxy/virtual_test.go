package proxy_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

var nodeID = regexp.MustCompile(`[0-9a-f]{40}`)

// anonymous is what a node at addr says, without what only it can say: its id and where it is.
func anonymous(text, addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	text = nodeID.ReplaceAllString(text, strings.Repeat("0", 40))
	text = regexp.MustCompile(`@\d+`).ReplaceAllString(text, "@BUS")
	// Not everywhere: slots are numbers, too.
	return regexp.MustCompile(`(127\.0\.0\.1(?:\r\n)?:|port\r\n:)`+port).ReplaceAllString(text, "${1}PORT")
}

// TestVirtualNodeIsARedisAloneInItsCluster compares with a real one.
func TestVirtualNodeIsARedisAloneInItsCluster(t *testing.T) {
	p, real := start(t, proxytest.Config{}), lonely.Get(t).Node(0)
	for _, hello := range []string{"", commands("HELLO 3")} {
		for _, line := range []string{
			"CLUSTER INFO", "cluster info", "CLUSTER MYID", "CLUSTER SLOTS", "CLUSTER SHARDS", "CLUSTER NODES", "CLUSTER LINKS",
			"CLUSTER KEYSLOT foo", "CLUSTER KEYSLOT {foo}bar", `CLUSTER KEYSLOT ""`, "CLUSTER KEYSLOT \x00\xff",
			"CLUSTER REPLICAS ID", "CLUSTER SLAVES ID", "CLUSTER COUNT-FAILURE-REPORTS ID",
			"CLUSTER REPLICAS no\r\nsuch", "CLUSTER SLAVES x", "CLUSTER COUNT-FAILURE-REPORTS x", "CLUSTER BUMPEPOCH",
			"READONLY", "READWRITE", "ASKING", "readonly", "ASKING x",
			"CLUSTER HELP", "CLUSTER", "CLUSTER NOSUCH", "CLUSTER INFO x", "CLUSTER MYID x", "CLUSTER KEYSLOT", "CLUSTER REPLICAS",
		} {
			ask := func(addr, id string) string {
				return anonymous(converse(t, addr, hello+commands(strings.ReplaceAll(line, "ID", id), "ECHO marker")), addr)
			}
			got := ask(p.Addr, virtualID(p.Addr))
			// HELLO tells the mode, which is not compared here.
			want := strings.Replace(ask(real.Addr, real.ID), "$7\r\ncluster\r\n", "$10\r\nstandalone\r\n", 1)
			if got != want {
				t.Errorf("%q after %q\nproxy says %q\nredis says %q", line, hello, got, want)
			}
		}
	}
}

func virtualID(addr string) string {
	sum := sha1.Sum([]byte(addr))
	return hex.EncodeToString(sum[:])
}

func TestVirtualNodeIsWhereTheClientCameTo(t *testing.T) {
	p := start(t, proxytest.Config{})
	d := proxytest.Connect(t, p.Addr)
	id := virtualID(p.Addr)
	if got := d.Do("CLUSTER", "MYID").Str; got != id {
		t.Errorf("the id is %s, want %s", got, id)
	}
	if nodes := d.Do("CLUSTER", "NODES").Str; !strings.HasPrefix(nodes, id+" "+p.Addr+"@") {
		t.Errorf("CLUSTER NODES says %q, want %s at %s", nodes, id, p.Addr)
	}
	if shard := d.Do("CLUSTER", "MYSHARDID").Str; !nodeID.MatchString(shard) || shard == id {
		t.Errorf("CLUSTER MYSHARDID says %q", shard)
	}

	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Server.Serve(ln) }() // until p is taken down
	_, port, _ := net.SplitHostPort(p.Addr)
	n, _ := strconv.Atoi(port)
	local := proxytest.Connect(t, "unix:"+path)
	slots := local.Do("CLUSTER", "SLOTS").Elems[0].Elems[2].Elems
	if slots[0].Str != "" || slots[1].Int != int64(n) {
		t.Errorf("by the Unix socket the node is at %q:%d, want the port %d without a host", slots[0].Str, slots[1].Int, n)
	}
}

func TestAnnouncedAddr(t *testing.T) {
	for _, tt := range []struct{ addr, host, nodes, names string }{
		{"10.1.2.3:7000", "10.1.2.3", "10.1.2.3:7000@17000", ""},
		{"[2001:db8::7]:60000", "2001:db8::7", "2001:db8::7:60000@50000", ""},
		{"redis.example:6379", "redis.example", "redis.example:6379@16379,redis.example", "redis.example"},
	} {
		cfg := proxytest.Config{}
		cfg.Proxy.AnnounceAddr = tt.addr
		d := proxytest.Connect(t, start(t, cfg).Addr)
		d.Do("HELLO", "3")
		id := virtualID(tt.addr)
		want := fmt.Sprintf("%s %s myself,master - 0 0 1 connected 0-16383\n", id, tt.nodes)
		if got := d.Do("CLUSTER", "NODES").Str; got != want {
			t.Errorf("CLUSTER NODES says %q, want %q", got, want)
		}
		slots := d.Do("CLUSTER", "SLOTS").Elems[0].Elems
		if node := slots[2].Elems; slots[0].Int != 0 || slots[1].Int != 16383 || node[0].Str != tt.host || node[2].Str != id {
			t.Errorf("CLUSTER SLOTS says %+v", slots)
		}
		fields := map[string]string{}
		shard := d.Do("CLUSTER", "SHARDS").Elems[0].Elems
		node := shard[3].Elems[0].Elems
		for i := 0; i < len(node); i += 2 {
			fields[node[i].Str] = node[i+1].Str
		}
		if fields["ip"] != tt.host || fields["endpoint"] != tt.host || fields["hostname"] != tt.names || fields["id"] != id {
			t.Errorf("CLUSTER SHARDS says %+v", fields)
		}
	}
}

// TestNoClusterEmulation compares with a standalone server.
func TestNoClusterEmulation(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Proxy.NoClusterEmulation = true
	cfg.Proxy.AdminCommands = []string{"all"} // changes nothing here
	tw := twins{start(t, cfg), plain.Get(t)}
	tw.inBothProtocols(t, []string{
		"CLUSTER INFO", "CLUSTER MYID", "CLUSTER SLOTS", "CLUSTER NODES", "CLUSTER SHARDS", "CLUSTER LINKS", "CLUSTER KEYSLOT x", "CLUSTER HELP",
		"CLUSTER COUNTKEYSINSLOT 1", "CLUSTER GETKEYSINSLOT 1 1", "CLUSTER RESET", "CLUSTER MEET a 1", "CLUSTER FAILOVER",
		"CLUSTER", "CLUSTER NOSUCH", "CLUSTER INFO x", "READONLY", "READWRITE", "ASKING", "ASKING x", "INFO cluster",
	})
}

// TestKeysOfASlot compares with a plain cluster of one node, which has all of them.
func TestKeysOfASlot(t *testing.T) {
	p, real := start(t, proxytest.Config{}), lonely.Get(t).Node(0)
	proxied, alone := proxytest.Connect(t, p.Addr), proxytest.Connect(t, real.Addr)
	for _, d := range []*proxytest.Dialog{proxied, alone} {
		d.Do("FLUSHALL")
		for _, key := range []string{"{foo}1", "{foo}2", "{bar}1", "{hello}1"} {
			if v := d.Do("SET", key, "v"); v.Str != "OK" {
				t.Fatalf("SET %s: %+v", key, v)
			}
		}
	}
	for _, line := range []string{
		"COUNTKEYSINSLOT 12182", "COUNTKEYSINSLOT 5061", "COUNTKEYSINSLOT 866", "COUNTKEYSINSLOT 0", "COUNTKEYSINSLOT 16383",
		"COUNTKEYSINSLOT 16384", "COUNTKEYSINSLOT -1", "COUNTKEYSINSLOT x", "COUNTKEYSINSLOT", "countkeysinslot 1 2",
		"GETKEYSINSLOT 5061 10", "GETKEYSINSLOT 12182 0", "GETKEYSINSLOT 1 10", "GETKEYSINSLOT 16384 1", "GETKEYSINSLOT 1 -1",
		"GETKEYSINSLOT x 1", "GETKEYSINSLOT 1 x", "GETKEYSINSLOT 99999 x", "GETKEYSINSLOT 1",
	} {
		got, want := proxied.Ask("CLUSTER "+line+"\r\n"), alone.Ask("CLUSTER "+line+"\r\n")
		if got != want {
			t.Errorf("CLUSTER %s\nproxy says %q\nredis says %q", line, got, want)
		}
	}
	keys := proxied.Do("CLUSTER", "GETKEYSINSLOT", "12182", "10")
	if len(keys.Elems) != 2 || !strings.HasPrefix(keys.Elems[0].Str, "{foo}") || keys.Elems[0].Str == keys.Elems[1].Str {
		t.Errorf("CLUSTER GETKEYSINSLOT says %+v", keys)
	}
}
