package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"redis-cluster-proxy/dispatcher"
)

// ownFields are fields of INFO that are about the proxy: what a standalone says
// of itself, and not of its data.
var ownFields = map[string]func(*Server) string{
	"redis_mode":         fixedField("standalone"),
	"server_mode":        fixedField("standalone"), // Valkey's word for it
	"os":                 fixedField(runtime.GOOS + " " + runtime.GOARCH),
	"process_id":         func(*Server) string { return strconv.Itoa(os.Getpid()) },
	"process_supervised": fixedField("no"),
	"run_id":             func(s *Server) string { return s.runID },
	"tcp_port":           func(s *Server) string { return strconv.Itoa(s.port()) },
	"server_time_usec":   func(*Server) string { return strconv.FormatInt(time.Now().UnixMicro(), 10) },
	"uptime_in_seconds":  func(s *Server) string { return strconv.Itoa(int(time.Since(s.started).Seconds())) },
	"uptime_in_days":     func(s *Server) string { return strconv.Itoa(int(time.Since(s.started).Hours() / 24)) },
	"executable":         func(*Server) string { return executable() },
	"config_file":        fixedField(""),
	"io_threads_active":  fixedField("0"),

	"connected_clients":            func(s *Server) string { return strconv.Itoa(s.Clients()) },
	"cluster_connections":          fixedField("0"),
	"maxclients":                   func(s *Server) string { return strconv.Itoa(s.settings.Load().maxClients) },
	"blocked_clients":              counted((*badge).waits),
	"tracking_clients":             counted(func(b *badge) bool { return b.tracking }),
	"pubsub_clients":               counted((*badge).subscribed),
	"watching_clients":             func(s *Server) string { clients, _ := s.watching(); return strconv.Itoa(clients) },
	"clients_in_timeout_table":     fixedField("0"),
	"total_watched_keys":           func(s *Server) string { _, keys := s.watching(); return strconv.Itoa(keys) },
	"total_blocking_keys":          fixedField("0"),
	"total_blocking_keys_on_nokey": fixedField("0"),
	"paused_reason":                func(s *Server) string { return s.paused("client_pause", "client_pause") },
	"paused_actions":               func(s *Server) string { return s.paused("write", "all") },
	"paused_timeout_milliseconds":  func(s *Server) string { return strconv.FormatInt(s.pauseLeft().Milliseconds(), 10) },

	"master_failover_state":          fixedField("no-failover"),
	"master_replid":                  func(s *Server) string { return s.runID },
	"master_replid2":                 fixedField("0000000000000000000000000000000000000000"),
	"second_repl_offset":             fixedField("-1"),
	"repl_backlog_first_byte_offset": fixedField("0"),

	// What redis-py up to 5.0 looks at before it asks for the cluster's nodes.
	// The mode, here and in HELLO, stays standalone.
	"cluster_enabled": func(s *Server) string {
		if s.cfg.NoClusterEmulation {
			return "0"
		}
		return "1"
	},
}

// ownCounts are fields that count what clients did since the start or CONFIG
// RESETSTAT.
var ownCounts = map[string]func(*serverFigures) uint64{
	"total_connections_received": func(f *serverFigures) uint64 { return f.accepted },
	"rejected_connections":       func(f *serverFigures) uint64 { return f.refused },
	"total_commands_processed":   func(f *serverFigures) uint64 { return f.requests },
	"total_error_replies":        func(f *serverFigures) uint64 { return f.errors },
	"total_net_input_bytes":      func(f *serverFigures) uint64 { return f.netIn },
	"total_net_output_bytes":     func(f *serverFigures) uint64 { return f.netOut },
}

func fixedField(text string) func(*Server) string { return func(*Server) string { return text } }

func executable() string {
	path, _ := os.Executable()
	return path
}

// newRunID makes the 40 digits by which one run of a server is known.
func newRunID() string {
	var id [20]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// serverFigures are what the proxy has counted.
type serverFigures struct {
	accepted, refused uint64
	requests, errors  uint64
	netIn, netOut     uint64 // bytes, of the clients' side
}

// counted counts the clients of which is says so.
func counted(is func(*badge) bool) func(*Server) string {
	return func(s *Server) string {
		n := 0
		for _, sess := range s.present() {
			if b := sess.badgeNow(); is(&b) {
				n++
			}
		}
		return strconv.Itoa(n)
	}
}

// figures counts from the start of the process.
func (s *Server) figures() serverFigures {
	f := serverFigures{accepted: s.accepted.Load(), refused: s.refused.Load()}
	counts := s.d.Counts()
	for i := range counts.Requests {
		f.requests += counts.Requests[i]
		f.errors += counts.Errors[i]
	}
	s.mu.Lock()
	f.netIn, f.netOut = s.goneIn, s.goneOut
	s.mu.Unlock()
	for _, sess := range s.present() {
		sess.pipe.Inspect(func(a dispatcher.Activity) { f.netIn += a.Bytes })
		f.netOut += uint64(sess.conn.Written())
	}
	return f
}

// since returns what was counted since base, nil being the start.
func (f serverFigures) since(base *serverFigures) serverFigures {
	if base == nil {
		return f
	}
	return serverFigures{
		accepted: f.accepted - base.accepted, refused: f.refused - base.refused, requests: f.requests - base.requests,
		errors: f.errors - base.errors, netIn: f.netIn - base.netIn, netOut: f.netOut - base.netOut,
	}
}

// resetStat makes what INFO counts begin anew.
func (s *Server) resetStat() {
	f := s.figures()
	s.baseline.Store(&f)
}

// setOwn puts the proxy's own values in the place of the nodes'.
func (t infoText) setOwn(s *Server) {
	figures := s.figures().since(s.baseline.Load())
	for i := range t {
		for k := range t[i].fields {
			f := &t[i].fields[k]
			if own := ownFields[f.name]; own != nil {
				f.value = own(s)
			} else if count := ownCounts[f.name]; count != nil {
				f.value = strconv.FormatUint(count(&figures), 10)
			}
		}
	}
	if section := t.section("server"); section != nil && s.version().has(sinceRedis(7.2)) {
		section.fields = append(section.fields, infoField{"listener0", fmt.Sprintf("name=tcp,bind=*,port=%d", s.port())})
	}
}
