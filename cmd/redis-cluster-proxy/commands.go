package main

import (
	"context"
	"strings"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/proxy"
	"redis-cluster-proxy/slots"
)

// askTimeout bounds the questions about the cluster's commands.
const askTimeout = 10 * time.Second

// commandKeeper lays the cluster's own COMMAND over the built-in table, at the start and after each change of the
// topology: another node may be of another version or have another module.
type commandKeeper struct {
	// Set at construction.
	source  *slots.Cluster
	server  *proxy.Server
	changed chan struct{} // holds at most one token
}

func newCommandKeeper(source *slots.Cluster, watcher *slots.Watcher, server *proxy.Server) *commandKeeper {
	k := &commandKeeper{source: source, server: server, changed: make(chan struct{}, 1)}
	watcher.OnChange(k.note)
	return k
}

func (k *commandKeeper) note(*slots.Table) {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends. When a question fails the table stays as it is, and the next change asks again.
func (k *commandKeeper) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		}
		if err := k.refresh(ctx); err != nil && ctx.Err() == nil {
			glog.Warningf("the cluster's COMMAND is not known, its commands stay as they were: %v", err)
		}
	}
}

func (k *commandKeeper) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	reply, err := k.source.Commands(ctx)
	if err != nil {
		return err
	}
	infos, err := command.InfosFromReply(reply)
	if err != nil {
		return err
	}
	k.server.SetTable(command.Builtin().Overlay(infos))
	version, err := k.source.Version(ctx)
	if err != nil {
		return err
	}
	_, number, _ := strings.Cut(version, " ") // "redis 7.0.15"
	k.server.SetServerVersion(number)
	return nil
}
