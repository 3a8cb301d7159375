package proxytest

import (
	"context"
	"strings"
	"sync/atomic"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/proxy"
	"redis-cluster-proxy/slots"
)

// keeper lays the cluster's COMMAND over the built-in table after each change of the topology, as the program does.
type keeper struct {
	// Set at construction.
	source  *slots.Cluster
	server  *proxy.Server
	changed chan struct{} // holds at most one token

	known atomic.Bool // the cluster was asked with success at least once
}

func newKeeper(source *slots.Cluster, watcher *slots.Watcher, server *proxy.Server) *keeper {
	k := &keeper{source: source, server: server, changed: make(chan struct{}, 1)}
	watcher.OnChange(k.note)
	return k
}

func (k *keeper) note(*slots.Table) {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		}
		if k.refresh(ctx) == nil {
			k.known.Store(true)
		}
	}
}

func (k *keeper) refresh(ctx context.Context) error {
	reply, err := k.source.Commands(ctx)
	if err != nil {
		return err
	}
	infos, err := command.InfosFromReply(reply)
	if err != nil {
		return err
	}
	version, err := k.source.Version(ctx)
	if err != nil {
		return err
	}
	k.server.SetTable(command.Builtin().Overlay(infos))
	_, number, _ := strings.Cut(version, " ")
	k.server.SetServerVersion(number)
	return nil
}
