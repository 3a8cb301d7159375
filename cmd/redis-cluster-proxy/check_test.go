package main

import (
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// TestCheck asks a proxy that is ready, one without a cluster, one that drains, and none.
func TestCheck(t *testing.T) {
	c := redistest.StartFakeCluster(t)
	ready := servePages(t, serveRooms(t, c))
	opts, err := parse([]string{"-addr", "127.0.0.1:0", "-startup-nodes", c.Addrs()[0]}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := newRooms(opts, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.close()
	draining, err := newRooms(opts, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer draining.close()
	if err := draining.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	for name, tt := range map[string]struct {
		addr, says string
		code       int
	}{
		"ready":    {ready, "ready: 16384 of 16384 slots covered\n", 0},
		"alone":    {servePages(t, alone), "not ready: 0 of 16384 slots covered\n", 1},
		"draining": {servePages(t, draining), "not ready: draining\n", 1},
		"nobody":   {"127.0.0.1:1", "connection refused\n", 1},
	} {
		var stdout, stderr strings.Builder
		code := start([]string{"-check", tt.addr}, &stdout, &stderr, func(options) error {
			t.Errorf("%s: a check began to serve", name)
			return nil
		})
		said, silent := &stderr, &stdout
		if tt.code == 0 {
			said, silent = &stdout, &stderr
		}
		if code != tt.code || !strings.HasSuffix(said.String(), tt.says) || strings.Count(said.String(), "\n") != 1 || silent.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d and %q", name, code, stdout.String(), stderr.String(), tt.code, tt.says)
		}
	}
}

// servePages serves the operator's pages of r until the test ends.
func servePages(t *testing.T, r *rooms) (addr string) {
	t.Helper()
	s, err := newAdminService("127.0.0.1:0", newRegistry(), r)
	if err != nil {
		t.Fatal(err)
	}
	signals, result := make(chan os.Signal, 1), make(chan error, 1)
	go serveInto(result, signals, []service{s})
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		signals <- syscall.SIGTERM
		if err := <-result; err != nil {
			t.Errorf("serveUntil = %v", err)
		}
	})
	return s.listener.Addr().String()
}
