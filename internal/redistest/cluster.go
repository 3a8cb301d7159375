package redistest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// launchAttempts is how often a launch is tried, each time on other ports, should another process take one of them.
const launchAttempts = 3

// queryTimeout bounds the questions that methods without a context ask of the nodes, which are not asked when they do not run.
const queryTimeout = 30 * time.Second

// Node is a node of a real cluster. What it embeds starts, stops and reaches its server.
type Node struct {
	*Server

	// ID is the node's id in the cluster, 40 hexadecimal digits. Set at construction.
	ID string
}

// Cluster is a running cluster of real servers. Its methods are safe for concurrent use.
type Cluster struct {
	// Set at construction.
	cfg     Config
	dir     string
	tempDir bool

	mu sync.Mutex
	// Guarded by mu.
	nodes []*Node
}

// LaunchCluster starts a cluster and waits until it is whole: state ok on all nodes and all replicas in sync. Primaries
// come first in Nodes; primary i has the i-th equal share of the slots. The caller closes it. Without a server to start
// the error wraps ErrNoServer.
func LaunchCluster(ctx context.Context, cfg Config) (*Cluster, error) {
	cfg = cfg.withDefaults()
	var err error
	for range launchAttempts {
		var c *Cluster
		if c, err = newCluster(cfg); err != nil {
			return nil, err
		}
		if err = c.form(ctx); err == nil {
			return c, nil
		}
		c.Close()
		if errors.Is(err, ErrNoServer) || ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("launching a cluster: %w", err)
}

// newCluster makes the nodes and writes their files. Nothing runs yet.
func newCluster(cfg Config) (*Cluster, error) {
	c := &Cluster{cfg: cfg, dir: cfg.Dir}
	if c.dir == "" {
		var err error
		if c.dir, err = os.MkdirTemp("", "redistest-"); err != nil {
			return nil, err
		}
		c.tempDir = true
	}
	for range cfg.Primaries * (1 + cfg.Replicas) {
		n, err := c.newNode()
		if err != nil {
			c.Close()
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		if err := n.writeNodesConf(c.initialLines(n), c.cfg.Primaries); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) newNode() (*Node, error) {
	s, err := newServer(c.cfg, c.dir, true)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%016x%016x%08x", rand.Uint64(), rand.Uint64(), rand.Uint32())
	return &Node{Server: s, ID: id}, nil
}

// initialLines is the nodes.conf of n before the cluster has ever run: primaries first, then the replicas in turn.
func (c *Cluster) initialLines(n *Node) []string {
	var lines []string
	p := c.cfg.Primaries
	for i, other := range c.nodes {
		role, slots := "master - 0 0 "+fmt.Sprint(i+1), ""
		primary := c.nodes[i%p]
		if i < p {
			r := share(i, p)
			slots = fmt.Sprintf(" %d-%d", r.first, r.last)
		} else {
			role = "slave " + primary.ID + " 0 0 0"
		}
		if other == n {
			role = "myself," + role
		}
		lines = append(lines, other.nodesConfLine(role, primary.ID)+slots)
	}
	return lines
}

// nodesConfLine is the node's line in a nodes.conf. Where servers know shards by ids, one that reads no id for itself is
// missing in its own CLUSTER SHARDS for ever; the id of the first primary does.
func (n *Node) nodesConfLine(role, shard string) string {
	more := ""
	if n.release.at(7.2) {
		more = ",,tls-port=0,shard-id=" + shard
	}
	return fmt.Sprintf("%s %s:%d@%d%s %s connected", n.ID, n.cfg.Host, n.port, n.busPort, more, role)
}

func (n *Node) writeNodesConf(lines []string, epoch int) error {
	text := strings.Join(lines, "\n") + fmt.Sprintf("\nvars currentEpoch %d lastVoteEpoch 0\n", epoch)
	return os.WriteFile(filepath.Join(n.dir, "nodes.conf"), []byte(text), 0o600)
}

// form starts all nodes and waits until the cluster is whole.
func (c *Cluster) form(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := n.run(); err != nil {
			return n.explain(err)
		}
	}
	for _, n := range c.nodes {
		if err := n.waitAnswers(ctx); err != nil {
			return n.explain(err)
		}
	}
	if c.cfg.Replicas > 0 {
		if err := c.moveOffsets(ctx); err != nil {
			return err
		}
	}
	return c.waitReady(ctx, formingTimeout)
}

// moveOffsets replicates a command that changes nothing. CLUSTER SHARDS calls a replica "loading" as long as its
// replication offset is 0, which in an idle cluster it stays for a while.
func (c *Cluster) moveOffsets(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := poll(ctx, "replication of "+n.Addr, func() error { return n.replicationError(ctx) }); err != nil {
			return n.explain(err)
		}
	}
	for _, n := range c.nodes[:c.cfg.Primaries] {
		if err := n.Client().FlushAll(ctx).Err(); err != nil {
			return n.explain(err)
		}
	}
	return nil
}

// Nodes returns all nodes, also those that do not run, in the order in which they were made.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

// Node returns the i-th node. It panics if there is none.
func (c *Cluster) Node(i int) *Node { return c.Nodes()[i] }

// Addrs returns the addresses of all nodes, also of those that do not run.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, n := range c.Nodes() {
		addrs = append(addrs, n.Addr)
	}
	return addrs
}

// Primaries asks the answering nodes and returns those that own slots now.
func (c *Cluster) Primaries() []*Node {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	l := c.layout(ctx)
	var owners []*Node
	for _, n := range c.Nodes() {
		if slices.Contains(l.owner[:], n) {
			owners = append(owners, n)
		}
	}
	return owners
}

// OwnerOf asks the answering nodes which one owns slot now; nil if none says so.
func (c *Cluster) OwnerOf(slot uint16) *Node {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	return c.layout(ctx).owner[slot]
}

// ReplicasOf asks the answering nodes which of them replicate n now.
func (c *Cluster) ReplicasOf(n *Node) []*Node {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	l := c.layout(ctx)
	var replicas []*Node
	for _, r := range c.Nodes() {
		if l.self[r].primary == n.ID {
			replicas = append(replicas, r)
		}
	}
	return replicas
}

// Close kills all nodes and removes their files. It may be called twice.
func (c *Cluster) Close() {
	for _, n := range c.Nodes() {
		n.Close()
	}
	if c.tempDir {
		os.RemoveAll(c.dir)
	}
}
