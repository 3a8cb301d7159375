package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server on a free port; the test's end shuts it down and checks how Serve ended.
func serve(t *testing.T, cfg Config) (base string) {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	s := New(cfg)
	l, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

func do(t *testing.T, method, url, body string) (status int, reply string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestPages(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "answers_total", Help: "Answers."})
	registry.MustRegister(counter)
	counter.Add(42)
	base := serve(t, Config{
		Gatherer:     registry,
		Ready:        func() (bool, string) { return false, "12 of 16384 slots covered" },
		Status:       func(w io.Writer) { fmt.Fprintln(w, "3 clients") },
		GetVerbosity: func() string { return "v=0" },
	})
	tests := []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/", 200, "/metrics"},
		{"GET", "/", 200, "/debug/pprof/"},
		{"GET", "/metrics", 200, "answers_total 42"},
		{"GET", "/healthz", 200, "ok\n"},
		{"GET", "/readyz", 503, "not ready: 12 of 16384 slots covered\n"},
		{"GET", "/status", 200, "3 clients\n"},
		{"GET", "/loglevel", 200, "v=0\n"},
		{"PUT", "/loglevel", 405, ""},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", 200, "admin"},
		{"POST", "/debug/pprof/symbol", 200, "num_symbols"},
		{"GET", "/nothing", 404, ""},
		{"POST", "/metrics", 405, ""},
	}
	for _, tt := range tests {
		status, body := do(t, tt.method, base+tt.path, "")
		if status != tt.status || !strings.Contains(body, tt.contains) {
			t.Errorf("%s %s = %d %q, want %d and %q", tt.method, tt.path, status, body, tt.status, tt.contains)
		}
	}
}

func TestPagesWithoutFunctions(t *testing.T) {
	base := serve(t, Config{})
	for path, want := range map[string]int{
		"/": 200, "/healthz": 200, "/readyz": 200, "/debug/pprof/": 200,
		"/metrics": 404, "/status": 404, "/loglevel": 404,
	} {
		if status, _ := do(t, "GET", base+path, ""); status != want {
			t.Errorf("GET %s = %d, want %d", path, status, want)
		}
	}
	if _, body := do(t, "GET", base+"/", ""); strings.Contains(body, "/metrics") {
		t.Errorf("the index lists a page that does not exist:\n%s", body)
	}
}

func TestReady(t *testing.T) {
	base := serve(t, Config{Ready: func() (bool, string) { return true, "" }})
	if status, body := do(t, "GET", base+"/readyz", ""); status != 200 || body != "ready\n" {
		t.Errorf("GET /readyz = %d %q", status, body)
	}
}

func TestLogLevel(t *testing.T) {
	level := "v=0"
	base := serve(t, Config{
		GetVerbosity: func() string { return level },
		SetVerbosity: func(s string) error {
			if s == "loud" {
				return errors.New("not a level")
			}
			level = s
			return nil
		},
	})
	steps := []struct {
		body   string
		status int
		reply  string
	}{
		{"v=3\n", 200, "v=3\n"},
		{"loud", 400, "not a level\n"},
		{strings.Repeat("9", maxLevelBytes+1), 400, ""},
	}
	for _, tt := range steps {
		status, reply := do(t, "PUT", base+"/loglevel", tt.body)
		if status != tt.status || !strings.Contains(reply, tt.reply) {
			t.Errorf("PUT %.10q = %d %q, want %d %q", tt.body, status, reply, tt.status, tt.reply)
		}
	}
	if level != "v=3" {
		t.Errorf("level = %q after refused changes, want v=3", level)
	}
}

func TestShutdownCutsOffAfterItsDeadline(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := New(Config{Addr: "127.0.0.1:0", Status: func(io.Writer) { close(entered); <-leave }})
	l, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown = %v, want the deadline's error", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v, want nil after Shutdown", err)
	}
	close(leave)
}

func TestListenError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := New(Config{Addr: l.Addr().String()}).Listen(); err == nil {
		t.Error("Listen on a taken port succeeded")
	}
}

func TestServeReturnsTheListenersError(t *testing.T) {
	s := New(Config{Addr: "127.0.0.1:0"})
	l, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := s.Serve(l); err == nil {
		t.Error("Serve of a closed listener returned nil")
	}
}
