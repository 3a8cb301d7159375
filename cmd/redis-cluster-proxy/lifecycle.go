package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golang/glog"
)

// service is a part of the proxy that runs from the start to the end. Serve returns nil after Shutdown, when all that it
// started has ended, or earlier with the error that ended it.
type service interface {
	Serve() error
	Shutdown(ctx context.Context) error
}

// errSecondSignal ends a drain that somebody did not want to wait for.
var errSecondSignal = errors.New("ended by a second signal before all clients were served")

// serveUntil runs the services until the first signal or until one of them fails, and then shuts them down in reverse
// order within timeout. A second signal makes it return at once, whatever still runs.
func serveUntil(signals <-chan os.Signal, timeout time.Duration, services []service) error {
	r := serviceRunner{services: services, ended: make(chan error, len(services)), drained: make(chan error, 1)}
	for _, s := range services {
		go r.serve(s)
	}
	var failure error
	select {
	case sig := <-signals:
		glog.Infof("%v: draining for at most %v; a second signal ends at once", sig, timeout)
	case failure = <-r.ended:
		r.early = 1
		if failure == nil {
			failure = errors.New("a service ended by itself")
		}
	}
	go r.drain(timeout)
	select {
	case err := <-r.drained:
		return errors.Join(failure, err)
	case <-signals:
		return errors.Join(failure, errSecondSignal)
	}
}

// serviceRunner runs services and collects how they ended.
type serviceRunner struct {
	// Set at construction.
	services []service
	ended    chan error // one per service; never blocks
	drained  chan error // one; never blocks

	early int // services whose end was taken from ended before the drain. Set before drain starts.
}

func (r *serviceRunner) serve(s service) { r.ended <- s.Serve() }

// drain shuts the services down, the last one first, and waits for their ends.
func (r *serviceRunner) drain(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var errs []error
	cut := false
	for i := len(r.services) - 1; i >= 0; i-- {
		if err := r.services[i].Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			cut = true // what was promised past the timeout, and no failure
		} else if err != nil {
			errs = append(errs, fmt.Errorf("shutdown: %w", err))
		}
	}
	if cut {
		glog.Warningf("draining took longer than %v: the rest was cut off", timeout)
	}
	for range len(r.services) - r.early {
		errs = append(errs, <-r.ended)
	}
	r.drained <- errors.Join(errs...)
}
