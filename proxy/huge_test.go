//go:build huge

package proxy_test

import (
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/resp"
)

// TestHugeValue sends the largest value there is both ways, without holding it itself. It needs some
// 4 GB of memory: go test -tags huge -run HugeValue ./proxy
func TestHugeValue(t *testing.T) {
	p := startLocked(t, proxytest.Config{}) // without replicas, which would need as much each
	d := proxytest.Connect(t, p.Addr)
	part := strings.Repeat("0123456789abcdef", 1<<16)
	const parts = resp.MaxBulkBytes >> 20
	d.Say("*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$536870912\r\n")
	for range parts {
		d.Say(part)
	}
	if got := d.Ask("\r\n"); got != "+OK\r\n" {
		t.Fatalf("SET: %q", got)
	}
	d.Say("GET huge\r\nDEL huge\r\n")
	expect := func(want string) {
		t.Helper()
		if got, err := d.ReadN(len(want)); err != nil || string(got) != want {
			t.Fatalf("GET: %.100q, %v, want %.100q", got, err, want)
		}
	}
	expect("$536870912\r\n")
	for range parts {
		expect(part)
	}
	expect("\r\n:1\r\n")
}
