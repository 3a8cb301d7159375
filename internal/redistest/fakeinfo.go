package redistest

import (
	"fmt"
	"slices"
	"strings"
)

// fakeVersion is the version that fake nodes claim to be.
const fakeVersion = "7.0.15"

// roleLocked returns the node's role in Redis's words, and its primary if it is a replica.
func (n *FakeNode) roleLocked() (role string, primary *FakeNode) {
	if p := n.topologyLocked().primaryOf[n]; p != nil {
		return "replica", p
	}
	return "master", nil
}

func (c *fakeConn) role([]string) {
	t := c.node.topologyLocked()
	_, p := c.node.roleLocked()
	if p != nil {
		c.out.array(5)
		c.out.items("slave", c.node.cluster.cfg.Host)
		c.out.int(p.port)
		c.out.bulk("connected")
		c.out.int(1)
		return
	}
	c.out.array(3)
	c.out.bulk("master")
	c.out.int(1)
	replicas := t.replicasOf(c.node)
	c.out.array(len(replicas))
	for _, r := range replicas {
		c.out.bulks(c.node.cluster.cfg.Host, fmt.Sprint(r.port), "1")
	}
}

// info ignores which sections are asked for.
func (c *fakeConn) info([]string) {
	n := c.node
	loading, role := 0, "role:master"
	if n.faults.refuse == ErrorLoading {
		loading = 1
	}
	if _, p := n.roleLocked(); p != nil {
		role = fmt.Sprintf("role:slave\r\nmaster_host:%s\r\nmaster_port:%d\r\nmaster_link_status:up", n.cluster.cfg.Host, p.port)
	}
	c.out.text(fmt.Sprintf("# Server\r\nredis_version:%s\r\nredis_mode:cluster\r\nrun_id:%s\r\ntcp_port:%d\r\n"+
		"# Persistence\r\nloading:%d\r\n# Replication\r\n%s\r\nconnected_slaves:%d\r\n# Cluster\r\ncluster_enabled:1\r\n"+
		"# Keyspace\r\ndb0:keys=%d,expires=0,avg_ttl=0\r\n",
		fakeVersion, n.ID, n.port, loading, role, len(n.topologyLocked().replicasOf(n)), len(n.data)))
}

// commandCommand answers COMMAND, COMMAND COUNT, COMMAND INFO and COMMAND DOCS (of nothing).
func (c *fakeConn) commandCommand(args []string) {
	var names []string
	for name := range c.node.cluster.table {
		names = append(names, name)
	}
	slices.Sort(names)
	sub := ""
	if len(args) > 1 {
		sub = strings.ToLower(args[1])
	}
	switch {
	case sub == "count":
		c.out.int(len(names))
		return
	case sub == "docs":
		c.out.mapping(0)
		return
	case sub == "info" && len(args) > 2:
		names = args[2:]
	case sub != "" && sub != "info":
		c.unknownSub(args)
		return
	}
	c.out.array(len(names))
	for _, name := range names {
		if cmd := c.node.cluster.table[strings.ToLower(name)]; cmd != nil {
			c.commandRow(cmd)
		} else {
			c.out.null()
		}
	}
}

// commandRow is one row of COMMAND in the ten columns of Redis 7 (https://redis.io/docs/latest/commands/command/).
func (c *fakeConn) commandRow(cmd *fakeCommand) {
	shown := slices.DeleteFunc(slices.Clone(cmd.flags), func(f string) bool { return f == "ends_multi" })
	c.out.array(10)
	c.out.bulk(cmd.name)
	c.out.int(cmd.arity)
	c.out.set(len(shown))
	for _, f := range shown {
		c.out.simple(f)
	}
	c.out.int(cmd.first)
	c.out.int(cmd.last)
	c.out.int(cmd.step)
	categories := cmd.categories()
	c.out.set(len(categories))
	for _, category := range categories {
		c.out.simple(category)
	}
	tips := fakeTips[cmd.name]
	c.out.set(len(tips))
	c.out.items(tips...)
	c.keySpecs(cmd)
	c.out.set(0) // sub-commands
}

// fakeTips are the policies of the commands that a proxy splits or fans out.
var fakeTips = map[string][]string{
	"mget":     {"request_policy:multi_shard"},
	"mset":     {"request_policy:multi_shard", "response_policy:all_succeeded"},
	"del":      {"request_policy:multi_shard", "response_policy:agg_sum"},
	"unlink":   {"request_policy:multi_shard", "response_policy:agg_sum"},
	"exists":   {"request_policy:multi_shard", "response_policy:agg_sum"},
	"touch":    {"request_policy:multi_shard", "response_policy:agg_sum"},
	"dbsize":   {"request_policy:all_shards", "response_policy:agg_sum"},
	"flushall": {"request_policy:all_shards", "response_policy:all_succeeded"},
	"keys":     {"request_policy:all_shards"},
}

// categories are the command's ACL categories, as far as its flags and keys tell.
func (cmd *fakeCommand) categories() []string {
	found := []string{"@slow"}
	if cmd.has("fast") {
		found[0] = "@fast"
	}
	if cmd.has("write") {
		found = append(found, "@write")
	}
	if cmd.has("readonly") {
		found = append(found, "@read")
	}
	switch {
	case slices.Contains([]string{"del", "unlink", "exists", "touch", "type", "dbsize", "flushall", "keys"}, cmd.name):
		found = append(found, "@keyspace")
	case cmd.has("write") || cmd.has("readonly"):
		found = append(found, "@string")
	}
	return found
}

func (c *fakeConn) keySpecs(cmd *fakeCommand) {
	if cmd.first == 0 {
		c.out.set(0)
		return
	}
	last := cmd.last
	if last > 0 {
		last -= cmd.first // relative to the first key
	}
	c.out.set(1)
	c.out.mapping(3)
	c.out.bulk("flags")
	c.out.set(0)
	c.out.bulk("begin_search")
	c.out.mapping(2)
	c.out.items("type", "index", "spec")
	c.out.mapping(1)
	c.out.bulk("index")
	c.out.int(cmd.first)
	c.out.bulk("find_keys")
	c.out.mapping(2)
	c.out.items("type", "range", "spec")
	c.out.mapping(3)
	c.out.bulk("lastkey")
	c.out.int(last)
	c.out.bulk("keystep")
	c.out.int(cmd.step)
	c.out.bulk("limit")
	c.out.int(0)
}
