package slots

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/glog"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ServerError is an error reply of a node: its text without the leading '-', e.g. "ERR Invalid command specified".
type ServerError string

func (e ServerError) Error() string { return string(e) }

// nodeClient asks one node. Its connection is made when first needed, kept, and made anew after an error.
type nodeClient struct {
	// Set at construction.
	addr    string
	timeout time.Duration
	options redis.Options

	busy   atomic.Int32 // questions under way
	failed atomic.Bool  // the last question found no answer

	// Guarded by mu.
	mu     sync.Mutex
	closed bool
	client *redis.Client // nil before the first question and after an error
}

func newNodeClient(addr string, cfg ClusterConfig) *nodeClient {
	return &nodeClient{
		addr:    addr,
		timeout: cfg.ConnectTimeout,
		options: redis.Options{
			Addr:                     addr,
			Protocol:                 2,
			Username:                 cfg.User,
			Password:                 cfg.Password,
			DialTimeout:              cfg.ConnectTimeout,
			ReadTimeout:              cfg.ConnectTimeout,
			WriteTimeout:             cfg.ConnectTimeout,
			PoolTimeout:              cfg.ConnectTimeout,
			ContextTimeoutEnabled:    true,
			MaxRetries:               -1,
			DialerRetries:            1,
			DisableIdentity:          true,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
			// As many failed dials as this make the library stop dialing for a second and probe in a goroutine of its own.
			// A client is dropped after one, so the limit only has to be above the number of questions at one time.
			PoolSize:         16,
			MaxIdleConns:     1,
			PipelinePoolSize: -1,
		},
	}
}

// suspect reports whether another node should rather be asked.
func (n *nodeClient) suspect() bool { return n.failed.Load() || n.busy.Load() > 0 }

func (n *nodeClient) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	if n.client != nil {
		n.client.Close()
		n.client = nil
	}
}

func (n *nodeClient) connection() (*redis.Client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	if n.client == nil {
		options := n.options
		n.client = redis.NewClient(&options)
	}
	return n.client, nil
}

// drop closes a client that met an error, so that the next question dials at once.
func (n *nodeClient) drop(client *redis.Client) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.client == client {
		n.client.Close()
		n.client = nil
	}
}

// do sends commands as one pipeline. Error replies are not errors of do: they stand in the commands. ctx and the connect timeout
// bound it.
func (n *nodeClient) do(ctx context.Context, cmds ...*redis.Cmd) error {
	client, err := n.connection()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	n.busy.Add(1)
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, cmd := range cmds {
			if err := p.Process(ctx, cmd); err != nil {
				return err
			}
		}
		return nil
	})
	n.busy.Add(-1)
	if err = unanswered(err, cmds); err != nil {
		n.failed.Store(true)
		n.drop(client)
		return fmt.Errorf("%s: %w", n.addr, err)
	}
	n.failed.Store(false)
	return nil
}

// unanswered returns nil if a pipeline's error is but the first of its commands' error replies. An error reply that no command
// has is one to the handshake (NOAUTH, WRONGPASS, too many clients): then the library leaves the commands as they were.
func unanswered(err error, cmds []*redis.Cmd) error {
	var reply redis.Error
	if err == nil || !errors.As(err, &reply) {
		return err
	}
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return nil
		}
	}
	return ServerError(err.Error())
}

// result returns a command's reply; an error reply as ServerError, a null as nil.
func result(cmd *redis.Cmd) (any, error) {
	v, err := cmd.Result()
	var reply redis.Error
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, redis.Nil):
		return nil, nil
	case errors.As(err, &reply):
		return nil, ServerError(err.Error())
	}
	return nil, err
}

// view asks the node what it knows about the cluster.
func (n *nodeClient) view(ctx context.Context) (*view, error) {
	info := redis.NewCmd(ctx, "CLUSTER", "INFO")
	nodes := redis.NewCmd(ctx, "CLUSTER", "NODES")
	shards := redis.NewCmd(ctx, "CLUSTER", "SHARDS")
	if err := n.do(ctx, info, nodes, shards); err != nil {
		return nil, err
	}
	state := clusterInfo{ok: true} // what a user who may not ask for it has to believe
	if text, err := result(info); err == nil {
		s, _ := text.(string)
		state = parseClusterInfo(s)
	}
	var flags nodeFlags
	if text, err := result(nodes); err == nil {
		s, _ := text.(string)
		flags = parseNodeFlags(s)
	}
	table, err := n.table(ctx, shards, state.assigned)
	if err != nil {
		n.failed.Store(true) // of no use, though it answers
		return nil, fmt.Errorf("%s: %w", n.addr, err)
	}
	flags.apply(table)
	return newView(n.addr, flags.myself(), state, table), nil
}

// table reads the reply of CLUSTER SHARDS, or asks for CLUSTER SLOTS where that is missing or falls short of the number of
// assigned slots: servers that group nodes by shard id list a shard's slots from any one of its nodes, which after a failover
// may be the one that lost them.
func (n *nodeClient) table(ctx context.Context, shards *redis.Cmd, assigned int) (*Table, error) {
	host := hostOf(n.addr)
	var table *Table
	reply, err := result(shards)
	if err == nil {
		if table, err = parseShards(reply, host); err == nil && table.Covered() >= assigned {
			return table, nil
		}
	}
	slots := redis.NewCmd(ctx, "CLUSTER", "SLOTS")
	if doErr := n.do(ctx, slots); doErr != nil {
		return nil, doErr
	}
	reply, slotsErr := result(slots)
	if slotsErr != nil {
		if table != nil {
			return table, nil
		}
		return nil, slotsErr
	}
	other, slotsErr := parseSlots(reply, host)
	switch {
	case slotsErr == nil && (table == nil || other.Covered() > table.Covered()):
		return other, nil
	case table != nil:
		return table, nil
	}
	return nil, errors.Join(err, slotsErr)
}

var bridgeOnce sync.Once

// bridgeLibraryLog sends the library's own log, which repeats itself for each failed dial, to a level nobody reads by default.
func bridgeLibraryLog() { bridgeOnce.Do(func() { redis.SetLogger(libraryLog{}) }) }

type libraryLog struct{}

func (libraryLog) Printf(_ context.Context, format string, v ...any) {
	if glog.V(2) {
		glog.Infof("slots: "+format, v...)
	}
}
