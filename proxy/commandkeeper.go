package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/command"
)

// CommandSource is a cluster that tells what it understands.
type CommandSource interface {
	// Commands returns the reply to COMMAND as command.InfosFromReply takes it.
	Commands(ctx context.Context) (any, error)
	// Version returns what the servers are, like "redis 7.0.15".
	Version(ctx context.Context) (string, error)
	// Modules returns the modules of a node, each a list of names and values.
	Modules(ctx context.Context) ([]any, error)
	// Databases returns how many databases the cluster has.
	Databases(ctx context.Context) (int, error)
}

// askTimeout bounds the questions about the cluster's commands.
const askTimeout = 10 * time.Second

// CommandKeeper lays the cluster's own COMMAND over a Server's built-in table, at
// the start and after each change of the topology: another node may be of another
// version or have another module.
type CommandKeeper struct {
	// Set at construction.
	source  CommandSource
	server  *Server
	changed chan struct{} // holds at most one token

	known atomic.Bool
}

// NewCommandKeeper makes a CommandKeeper, which Run makes work.
func NewCommandKeeper(source CommandSource, server *Server) *CommandKeeper {
	return &CommandKeeper{source: source, server: server, changed: make(chan struct{}, 1)}
}

// Changed says that the topology has changed. It does not block.
func (k *CommandKeeper) Changed() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// Known reports whether the cluster was asked with success at least once. Safe for
// concurrent use.
func (k *CommandKeeper) Known() bool { return k.known.Load() }

// Run asks after each change until ctx ends. When a question fails the table stays
// as it is, and the next change asks again.
func (k *CommandKeeper) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		}
		if err := k.refresh(ctx); err == nil {
			k.known.Store(true)
		} else if ctx.Err() == nil {
			glog.Warningf("the cluster's COMMAND is not known, its commands stay as they were: %v", err)
		}
	}
}

func (k *CommandKeeper) refresh(ctx context.Context) error {
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
	k.server.SetServerVersion(version)
	if modules, err := k.source.Modules(ctx); err == nil { // else HELLO names none
		k.server.SetModules(modules)
	}
	if n, err := k.source.Databases(ctx); err == nil { // else it does not tell everybody
		k.server.SetDatabases(n)
	}
	return nil
}
