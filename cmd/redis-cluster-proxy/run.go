package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/golang/glog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"redis-cluster-proxy/admin"
)

// run builds the rooms from the bottom up, serves until a signal or a failure, and takes them down from the top.
func run(opts options) error {
	// First, so that a signal that arrives while the rooms are being built is not lost.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	if opts.MaxProcs > 0 {
		runtime.GOMAXPROCS(opts.MaxProcs)
	}
	opts.MaxClients = fitClients(opts.MaxClients, descriptorLimit())
	registry := newRegistry()
	var services []service

	r, err := newRooms(opts, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	r.register(registry)
	services = append(services, r.services()...)

	if opts.DebugAddr != "" {
		page, err := newAdminService(opts.DebugAddr, registry, r)
		if err != nil {
			r.close()
			return err
		}
		services = append([]service{page}, services...) // the last to go: a drain can be watched
	}
	glog.Infof("%s serves %v", versionLine(), opts.Listen)
	return serveUntil(signals, opts.ShutdownTimeout, services)
}

// newRegistry returns the registry that all rooms register with.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// adminService is the operator's pages on an open listener.
type adminService struct {
	server   *admin.Server
	listener net.Listener
}

// newAdminService listens at once, so that a wrong -debug-addr ends the start.
func newAdminService(addr string, g prometheus.Gatherer, r *rooms) (*adminService, error) {
	server := admin.New(admin.Config{
		Addr: addr, Gatherer: g, Ready: r.ready, Status: r.status,
		GetVerbosity: logVerbosity, SetVerbosity: setLogVerbosity,
	})
	l, err := server.Listen()
	if err != nil {
		return nil, fmt.Errorf("-debug-addr: %w", err)
	}
	return &adminService{server, l}, nil
}

func (a *adminService) Serve() error                       { return a.server.Serve(a.listener) }
func (a *adminService) Shutdown(ctx context.Context) error { return a.server.Shutdown(ctx) }
