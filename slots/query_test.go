package slots

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestQueries(t *testing.T) {
	n := startStubs(t, 2)
	for _, node := range n {
		node.on("COMMAND", "*1\r\n*2\r\n$3\r\nget\r\n:2\r\n")
		node.on("INFO server", bulk("# Server\r\nredis_version:7.0.15\r\n"))
		node.on("COMMAND GETKEYS mget a b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n")
		node.on("COMMAND GETKEYS ping", "-ERR The command has no key arguments\r\n")
	}
	c := newTestCluster(t, deadAddr(), n[0].addr)
	mustLoad(t, c)
	n[0].stop()
	n[1].cut()
	for range 3 {
		if got, err := c.Version(t.Context()); got != "redis 7.0.15" || err != nil {
			t.Errorf("Version = %q, %v", got, err)
		}
	}
	if got, err := c.Commands(t.Context()); fmt.Sprint(got) != "[[get 2]]" || err != nil {
		t.Errorf("Commands = %v, %v", got, err)
	}
	keys, err := c.CommandGetKeys(t.Context(), [][]byte{[]byte("mget"), []byte("a"), []byte("b")})
	if !slices.Equal(keys, []string{"a", "b"}) || err != nil {
		t.Errorf("CommandGetKeys = %q, %v", keys, err)
	}
	var reply ServerError
	_, err = c.CommandGetKeys(t.Context(), [][]byte{[]byte("ping")})
	if !errors.As(err, &reply) || reply != "ERR The command has no key arguments" {
		t.Errorf("CommandGetKeys of ping: %v", err)
	}
}

func TestDatabases(t *testing.T) {
	n := startStubs(t, 1)
	c := newTestCluster(t, n[0].addr)
	mustLoad(t, c)
	for reply, want := range map[string]int{
		"*2\r\n$17\r\ncluster-databases\r\n$2\r\n16\r\n": 16, "%1\r\n$17\r\ncluster-databases\r\n$1\r\n3\r\n": 3,
		"*0\r\n": 1, "%0\r\n": 1,
	} {
		n[0].on("CONFIG GET cluster-databases", reply)
		if got, err := c.Databases(t.Context()); got != want || err != nil {
			t.Errorf("after %q Databases = %d, %v", reply, got, err)
		}
	}
	n[0].on("CONFIG GET cluster-databases", "-ERR unknown command 'CONFIG'\r\n")
	if got, err := c.Databases(t.Context()); err == nil {
		t.Errorf("without CONFIG Databases = %d", got)
	}
}

func TestQueryPassesOverNodesThatLoad(t *testing.T) {
	n := startStubs(t, 3)
	for _, node := range n[1:] {
		node.on("COMMAND", "-LOADING Redis is loading the dataset in memory\r\n")
	}
	n[0].on("COMMAND", "*0\r\n")
	c := newTestCluster(t, n[0].addr)
	mustLoad(t, c)
	for range 5 {
		if got, err := c.Commands(t.Context()); err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
	n[0].on("COMMAND", "-LOADING Redis is loading the dataset in memory\r\n")
	if _, err := c.Commands(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("all are loading: %v", err)
	}
}
