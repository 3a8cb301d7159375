package proxy

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// proxySections are sections of INFO that only the proxy has. They come when
// they are asked for by name.
var proxySections = []struct {
	name  string
	write func(*Server) []infoField
}{
	{"Proxy", (*Server).infoProxy},
	{"Nodes", (*Server).infoNodes},
}

// info answers INFO: the sections and fields of a standalone of the cluster's
// version, made of what the primaries say and what the proxy knows of itself.
func (s *session) info(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	args, proto := resp.CloneArgs(cmd.Args), s.proto()
	var own infoText
	for _, section := range proxySections {
		asked := func(arg []byte) bool { return is(arg, section.name) }
		if slices.ContainsFunc(args[1:], asked) {
			own = append(own, infoSection{section.name, section.write(s.srv)})
			args = append(args[:1], slices.DeleteFunc(args[1:], asked)...)
		}
	}
	if own != nil && len(args) == 1 {
		return s.say(row, resp.AppendVerbatim(nil, proto, "txt", own.String()))
	}
	return s.alone(row, func(ctx context.Context, e *dispatcher.Errand) []byte {
		text, fault := s.srv.askInfo(ctx, e, args)
		if fault != nil {
			return fault
		}
		return resp.AppendVerbatim(nil, proto, "txt", append(text, own...).String())
	})
}

// infoPatience is how long INFO waits for a node. Whoever watches a server by INFO
// is to be told while a node is failing over, and not after it.
const infoPatience = time.Second

// askInfo asks all primaries and merges what they say; a section of its own names
// those that say nothing. fault is the reply if none does, or if what they say cannot be
// merged.
func (s *Server) askInfo(ctx context.Context, e *dispatcher.Errand, args [][]byte) (text infoText, fault []byte) {
	replies, missing, err := e.AskPresent(ctx, infoPatience, args...)
	if err != nil {
		return nil, errorReply(err)
	}
	nodes := make([]nodeInfo, len(replies))
	for i, r := range replies {
		v, _, err := resp.ReadValue(r.Bytes)
		if err != nil || v.Kind != '$' && v.Kind != '=' {
			return nil, r.Bytes
		}
		nodes[i] = nodeInfo{r.Addr, parseInfo(v.Str)}
	}
	text = mergeInfo(nodes)
	text.setOwn(s)
	text.setSubscriptions(s.hub)
	text.derive()
	if len(missing) > 0 {
		text = append(text, infoSection{"Missing", missingFields(missing)})
	}
	return text, nil
}

// missingFields name the shards that the figures of an INFO are without.
func missingFields(missing []dispatcher.Shard) []infoField {
	addrs, slots := make([]string, len(missing)), 0
	for i, sh := range missing {
		addrs[i] = cmp.Or(sh.Primary, "?")
		slots += sh.Slots
	}
	return fieldsOf("missing_nodes", strings.Join(addrs, ","), "missing_slots", slots)
}

// infoProxy is about the process.
func (s *Server) infoProxy() []infoField {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := s.figures()
	return fieldsOf(
		"proxy_version", s.cfg.Version,
		"go_version", runtime.Version(),
		"gomaxprocs", runtime.GOMAXPROCS(0),
		"goroutines", runtime.NumGoroutine(),
		"uptime_in_seconds", int(time.Since(s.started).Seconds()),
		"heap_bytes", m.HeapAlloc,
		"memory_bytes", m.Sys-m.HeapReleased,
		"gc_cycles", m.NumGC,
		"clients", s.Clients(),
		"clients_accepted", f.accepted,
		"clients_refused", f.refused,
		"clients_closed_unread", s.aborted.Load(),
		"requests", f.requests,
		"error_replies", f.errors,
		"net_input_bytes", f.netIn,
		"net_output_bytes", f.netOut,
		"slow_requests", s.slow.len(),
		"slots_covered", s.d.Covered(),
		"nodes", len(s.d.Pool().Nodes()),
	)
}

func fieldsOf(namesAndValues ...any) (fields []infoField) {
	for i := 0; i < len(namesAndValues); i += 2 {
		fields = append(fields, infoField{namesAndValues[i].(string), fmt.Sprint(namesAndValues[i+1])})
	}
	return fields
}

// infoNodes is about the nodes as the proxy sees them, a line each: replicas
// behind their primaries, and nodes without a part in the cluster at the end.
func (s *Server) infoNodes() (fields []infoField) {
	type seat struct {
		role  string
		shard int
		slots int
	}
	seats := make(map[string]seat)
	for i, sh := range s.d.Shards() {
		if sh.Primary != "" {
			seats[sh.Primary] = seat{"master", i, sh.Slots}
		}
		for _, addr := range sh.Replicas {
			seats[addr] = seat{"slave", i, 0}
		}
	}
	nodes := s.d.Pool().Nodes()
	order := func(n *backend.Node) (int, string) {
		at, ok := seats[n.Addr]
		if !ok {
			return len(seats), n.Addr
		}
		return at.shard, at.role + n.Addr // master before slave
	}
	slices.SortFunc(nodes, func(a, b *backend.Node) int {
		shardA, nameA := order(a)
		shardB, nameB := order(b)
		return cmp.Or(cmp.Compare(shardA, shardB), strings.Compare(nameA, nameB))
	})
	for i, n := range nodes {
		at, ok := seats[n.Addr]
		if !ok {
			at.role = "none"
		}
		fields = append(fields, infoField{"node" + strconv.Itoa(i), nodeFigures(n, at.role, at.slots)})
	}
	return fields
}

func nodeFigures(n *backend.Node, role string, slots int) string {
	st := n.Stats()
	return fmt.Sprintf("addr=%s,role=%s,slots=%d,failing=%t,connections=%d,in_flight=%d,requests=%d,error_replies=%d,timeouts=%d,losses=%d,"+
		"node_usec_p50=%d,node_usec_p99=%d,total_usec_p50=%d,total_usec_p99=%d",
		n.Addr, role, slots, n.Failing(), st.Connected, st.InFlight, st.Total.Count(), st.Errors, st.Timeouts, st.Losses,
		quantile(&st.Node, 0.5), quantile(&st.Node, 0.99), quantile(&st.Total, 0.5), quantile(&st.Total, 0.99))
}

// quantile returns the bound, in microseconds, of the bucket in which the share
// q of all durations ends.
func quantile(h *backend.Histogram, q float64) int64 {
	total, sum := h.Count(), uint64(0)
	if total == 0 {
		return 0
	}
	for i, n := range h.Counts {
		if sum += n; float64(sum) >= q*float64(total) {
			return backend.BucketBound(i) / 1000
		}
	}
	return backend.BucketBound(backend.NumBuckets-1) / 1000
}
