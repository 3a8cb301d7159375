package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/internal/proxytest"
)

// TestUsersThatDoNothingHaveNoConnections: whether their clients have gone or not; the next command is answered as ever.
func TestUsersThatDoNothingHaveNoConnections(t *testing.T) {
	cfg := proxytest.Config{}
	cfg.Backend.LaneLinger = 20 * time.Millisecond
	p := start(t, cfg)
	admin := proxytest.Connect(t, p.Addr)
	var stays []*proxytest.Dialog
	for i := range 12 {
		user := fmt.Sprintf("idle-%d", i)
		if v := admin.Do("ACL", "SETUSER", user, "on", ">pw", "~*", "+@all"); v.Str != "OK" {
			t.Fatalf("ACL SETUSER: %+v", v)
		}
		defer admin.Do("ACL", "DELUSER", user)
		d := proxytest.Connect(t, p.Addr)
		d.Do("HELLO", "23"[i%2:i%2+1], "AUTH", user, "pw")
		for key := range 9 {
			if v := d.Do("SET", fmt.Sprint("idle:", key), user); v.Str != "OK" {
				t.Fatalf("SET: %+v", v)
			}
		}
		if i%4 == 0 {
			stays = append(stays, d)
		} else {
			d.Close()
		}
	}
	eventually(t, "no connection is any of the users'", func() bool {
		for _, n := range cluster.Get(t).Nodes() {
			list, err := n.Client().ClientList(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(list, " user=idle-") {
				return false
			}
		}
		return true
	})
	for i, d := range stays {
		for key := range 9 {
			name, want := fmt.Sprint("idle:", key), fmt.Sprint("idle-", i)
			d.Say(commands("SET "+name+" "+want, "GET "+name))
			d.Hear()
			if got := d.Hear(); got != fmt.Sprintf("$%d\r\n%s\r\n", len(want), want) {
				t.Errorf("GET: %q", got)
			}
		}
	}
	for _, n := range p.Pool.Nodes() {
		if s := n.Stats(); s.Losses != 0 || n.Failing() {
			t.Errorf("%s: %d connections were lost", n.Addr, s.Losses)
		}
	}
}
