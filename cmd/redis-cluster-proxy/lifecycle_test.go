package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"redis-cluster-proxy/internal/redistest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, // save what lasts as long as the process
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreAnyFunction("redis-cluster-proxy/internal/netio.(*watcher).watchLoop"))
}

// fakeService notes in its log when it is shut down.
type fakeService struct {
	name    string
	log     *eventLog
	fail    error         // Serve returns it at once
	release chan struct{} // Shutdown waits for it, or for its deadline; nil: does not wait
	entered chan struct{} // closed when Shutdown is entered; may be nil
	down    chan struct{}
}

type eventLog struct {
	mu     sync.Mutex
	events []string
}

func (l *eventLog) add(event string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event)
}

func (f *fakeService) Serve() error {
	if f.fail != nil {
		return f.fail
	}
	<-f.down
	return nil
}

func (f *fakeService) Shutdown(ctx context.Context) error {
	defer close(f.down)
	f.log.add(f.name)
	if f.entered != nil {
		close(f.entered)
	}
	if f.release == nil {
		return nil
	}
	select {
	case <-f.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestSignalShutsDownInReverse(t *testing.T) {
	var log eventLog
	var services []service
	for _, name := range []string{"first", "second", "third"} {
		services = append(services, &fakeService{name: name, log: &log, down: make(chan struct{})})
	}
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	if err := serveUntil(signals, time.Minute, services); err != nil {
		t.Errorf("serveUntil = %v", err)
	}
	if want := []string{"third", "second", "first"}; !slices.Equal(log.events, want) {
		t.Errorf("shut down %v, want %v", log.events, want)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := &fakeService{log: &eventLog{}, down: make(chan struct{}), entered: make(chan struct{}), release: make(chan struct{})}
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGINT
	result := make(chan error, 1)
	go func() { result <- serveUntil(signals, time.Hour, []service{s}) }()
	<-s.entered
	signals <- syscall.SIGINT
	if err := <-result; !errors.Is(err, errSecondSignal) {
		t.Errorf("serveUntil = %v, want %v", err, errSecondSignal)
	}
	close(s.release)
}

func TestDrainEndsAtItsTimeout(t *testing.T) {
	s := &fakeService{log: &eventLog{}, down: make(chan struct{}), release: make(chan struct{})}
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	if err := serveUntil(signals, time.Millisecond, []service{s}); err != nil {
		t.Errorf("serveUntil = %v, want nil: cutting off is what was asked for", err)
	}
}

func TestFailureTakesTheOthersDown(t *testing.T) {
	var log eventLog
	broken := errors.New("broken")
	services := []service{
		&fakeService{name: "sound", log: &log, down: make(chan struct{})},
		&fakeService{name: "broken", log: &log, down: make(chan struct{}), fail: broken},
	}
	if err := serveUntil(make(chan os.Signal), time.Minute, services); !errors.Is(err, broken) {
		t.Errorf("serveUntil = %v, want %v", err, broken)
	}
	if !slices.Contains(log.events, "sound") {
		t.Error("the other service was not shut down")
	}
}

func TestAdminServiceServesTheRegistry(t *testing.T) {
	r := serveRooms(t, redistest.StartFakeCluster(t))
	registry := newRegistry()
	r.register(registry)
	s, err := newAdminService("127.0.0.1:0", registry, r)
	if err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	result := make(chan error, 1)
	go serveInto(result, signals, []service{s})
	for path, part := range map[string]string{
		"/readyz": "16384", "/metrics": "redis_cluster_proxy_clients 0", "/status": "primary", "/loglevel": "v=",
	} {
		resp, err := http.Get("http://" + s.listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), part) {
			t.Errorf("GET %s = %s %v, want %q in it:\n%s", path, resp.Status, err, part, text)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	signals <- syscall.SIGTERM
	if err := <-result; err != nil {
		t.Errorf("serveUntil = %v", err)
	}
	if _, err := newAdminService("127.0.0.1:x", registry, r); err == nil {
		t.Error("a wrong address was accepted")
	}
}
