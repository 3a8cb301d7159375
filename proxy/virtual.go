package proxy

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// A client library for clusters that is pointed at the proxy asks for the
// cluster's nodes first. It is told of one, the virtual node, which owns all
// slots and is reached as the client reached the proxy. The replies have the
// bytes of a Redis 7 that is alone in its cluster.

// clusterCommands are those of the virtual node.
var clusterCommands = map[string]handler{
	"readonly":  okHandler, // the routing of reads is the proxy's
	"readwrite": okHandler,
	"asking":    okHandler, // nobody is told to ask elsewhere

	"cluster|info":                  (*session).clusterInfo,
	"cluster|myid":                  (*session).clusterMyID,
	"cluster|myshardid":             (*session).clusterMyShardID,
	"cluster|keyslot":               (*session).clusterKeySlot,
	"cluster|slots":                 (*session).clusterSlots,
	"cluster|shards":                (*session).clusterShards,
	"cluster|nodes":                 (*session).clusterNodes,
	"cluster|links":                 (*session).clusterLinks,
	"cluster|count-failure-reports": (*session).clusterFailureReports,
	"cluster|replicas":              (*session).clusterReplicas,
	"cluster|slaves":                (*session).clusterReplicas,
	"cluster|bumpepoch":             (*session).clusterBumpEpoch,
}

// errNoCluster is what a server that is no node answers to whatever is about
// clusters.
const errNoCluster = "ERR This instance has cluster support disabled"

// virtualEpoch is the epoch of a cluster that never changes.
const virtualEpoch = 1

// lastSlot is the last slot of a Redis Cluster.
const lastSlot = dispatcher.NumSlots - 1

// virtualNode is the proxy as one client sees it.
type virtualNode struct {
	host string // "": where the client is connected to
	port int
}

// virtual returns the node that this client is told of: what the flag says, or
// the address that the client came to. A client of a Unix socket has none; it gets
// that of TCP without a host, as from a server that does not know its own.
func (s *session) virtual() virtualNode {
	if addr := s.srv.cfg.AnnounceAddr; addr != "" {
		host, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(port)
		return virtualNode{host, n}
	}
	if addr, ok := s.conn.NetConn().LocalAddr().(*net.TCPAddr); ok {
		return virtualNode{addr.IP.String(), addr.Port}
	}
	return virtualNode{"", s.srv.port()}
}

// id returns the node's name of 40 hexadecimal digits. It follows from the
// address, so that all proxies behind one address are one node, today and after a
// restart.
func (n virtualNode) id() string { return hexDigest(n.addr()) }

// shardID is the same of the node's shard.
func (n virtualNode) shardID() string { return hexDigest("shard of " + n.addr()) }

func (n virtualNode) addr() string { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }

// hexDigest is no secret: SHA-1 happens to have as many digits as a node's id.
func hexDigest(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// hostname returns the host if it is a name.
func (n virtualNode) hostname() string {
	if net.ParseIP(n.host) != nil {
		return ""
	}
	return n.host
}

// busPort is where a node would listen to others: 10000 above the port, if
// there is such a port.
func (n virtualNode) busPort() int {
	if n.port+10000 > 65535 {
		return n.port - 10000
	}
	return n.port + 10000
}

func okHandler(s *session, row *command.Row, _ *resp.Command) verdict { return s.ok(row) }

func (s *session) clusterInfo(row *command.Row, _ *resp.Command) verdict {
	served, state := s.srv.d.Covered(), "ok"
	if served < dispatcher.NumSlots {
		state = "fail"
	}
	text := fmt.Sprintf("cluster_state:%s\r\ncluster_slots_assigned:%d\r\ncluster_slots_ok:%d\r\ncluster_slots_pfail:0\r\n"+
		"cluster_slots_fail:%d\r\ncluster_known_nodes:1\r\ncluster_size:1\r\ncluster_current_epoch:%d\r\ncluster_my_epoch:%d\r\n"+
		"cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n",
		state, dispatcher.NumSlots, served, dispatcher.NumSlots-served, virtualEpoch, virtualEpoch)
	return s.say(row, resp.AppendVerbatim(nil, s.proto(), "txt", text))
}

func (s *session) clusterMyID(row *command.Row, _ *resp.Command) verdict {
	return s.say(row, resp.AppendBulkString(nil, s.virtual().id()))
}

func (s *session) clusterMyShardID(row *command.Row, _ *resp.Command) verdict {
	return s.say(row, resp.AppendBulkString(nil, s.virtual().shardID()))
}

func (s *session) clusterKeySlot(row *command.Row, cmd *resp.Command) verdict {
	return s.say(row, resp.AppendInt(nil, int64(s.srv.d.SlotOf(cmd.Args[2]))))
}

func (s *session) clusterSlots(row *command.Row, _ *resp.Command) verdict {
	n := s.virtual()
	b := resp.AppendArrayHeader(nil, 1)
	b = resp.AppendArrayHeader(b, 3)
	b = resp.AppendInt(b, 0)
	b = resp.AppendInt(b, lastSlot)
	b = resp.AppendArrayHeader(b, 4)
	b = resp.AppendBulkString(b, n.host)
	b = resp.AppendInt(b, int64(n.port))
	b = resp.AppendBulkString(b, n.id())
	b = resp.AppendMapHeader(b, s.proto(), 0) // what else the node is called
	return s.say(row, b)
}

func (s *session) clusterShards(row *command.Row, _ *resp.Command) verdict {
	n := s.virtual()
	fields := [][2]string{{"ip", n.host}, {"endpoint", n.host}}
	if name := n.hostname(); name != "" {
		fields = append(fields, [2]string{"hostname", name})
	}
	fields = append(fields, [2]string{"role", "master"})
	b := resp.AppendArrayHeader(nil, 1)
	b = resp.AppendMapHeader(b, s.proto(), 2)
	b = resp.AppendBulkString(b, "slots")
	b = resp.AppendArrayHeader(b, 2)
	b = resp.AppendInt(b, 0)
	b = resp.AppendInt(b, lastSlot)
	b = resp.AppendBulkString(b, "nodes")
	b = resp.AppendArrayHeader(b, 1)
	b = resp.AppendMapHeader(b, s.proto(), len(fields)+4)
	b = resp.AppendBulkString(b, "id")
	b = resp.AppendBulkString(b, n.id())
	b = resp.AppendBulkString(b, "port")
	b = resp.AppendInt(b, int64(n.port))
	for _, f := range fields {
		b = resp.AppendBulkString(b, f[0])
		b = resp.AppendBulkString(b, f[1])
	}
	b = resp.AppendBulkString(b, "replication-offset")
	b = resp.AppendInt(b, 0)
	b = resp.AppendBulkString(b, "health")
	b = resp.AppendBulkString(b, "online")
	return s.say(row, b)
}

func (s *session) clusterNodes(row *command.Row, _ *resp.Command) verdict {
	n := s.virtual()
	at := fmt.Sprintf("%s:%d@%d", n.host, n.port, n.busPort())
	if name := n.hostname(); name != "" {
		at += "," + name
	}
	line := fmt.Sprintf("%s %s myself,master - 0 0 %d connected 0-%d\n", n.id(), at, virtualEpoch, lastSlot)
	return s.say(row, resp.AppendVerbatim(nil, s.proto(), "txt", line))
}

func (s *session) clusterLinks(row *command.Row, _ *resp.Command) verdict {
	return s.say(row, resp.AppendArrayHeader(nil, 0))
}

func (s *session) clusterFailureReports(row *command.Row, cmd *resp.Command) verdict {
	return s.aboutVirtual(row, cmd, resp.AppendInt(nil, 0))
}

func (s *session) clusterReplicas(row *command.Row, cmd *resp.Command) verdict {
	return s.aboutVirtual(row, cmd, resp.AppendArrayHeader(nil, 0))
}

// aboutVirtual answers a question about the node that the client names.
func (s *session) aboutVirtual(row *command.Row, cmd *resp.Command, reply []byte) verdict {
	if id := string(cmd.Args[2]); id != s.virtual().id() {
		return s.fail(row, "ERR Unknown node "+id)
	}
	return s.say(row, reply)
}

func (s *session) clusterBumpEpoch(row *command.Row, _ *resp.Command) verdict {
	return s.say(row, resp.AppendSimple(nil, "STILL "+strconv.Itoa(virtualEpoch)))
}
