package proxy

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// infoSections are the sections of INFO in their order. All are about the
// proxy, in the fields that a standalone server has.
var infoSections = []struct {
	name  string
	write func(*Server, *strings.Builder)
}{
	{"server", (*Server).infoServer},
	{"clients", (*Server).infoClients},
	{"memory", (*Server).infoMemory},
	{"persistence", (*Server).infoPersistence},
	{"stats", (*Server).infoStats},
	{"replication", (*Server).infoReplication},
	{"cluster", (*Server).infoCluster},
	{"proxy", (*Server).infoProxy},
}

func (s *session) info(row *command.Row, cmd *resp.Command) verdict {
	var wanted []string
	for _, a := range cmd.Args[1:] {
		wanted = append(wanted, strings.ToLower(string(a)))
	}
	all := len(wanted) == 0
	for _, w := range wanted {
		all = all || w == "all" || w == "default" || w == "everything"
	}
	var b strings.Builder
	for _, section := range infoSections {
		if !all && !slices.Contains(wanted, section.name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "# %s\r\n", strings.ToUpper(section.name[:1])+section.name[1:])
		section.write(s.srv, &b)
	}
	return s.say(row, resp.AppendVerbatim(nil, s.proto(), "txt", b.String()))
}

func field(b *strings.Builder, name string, value any) { fmt.Fprintf(b, "%s:%v\r\n", name, value) }

func (s *Server) infoServer(b *strings.Builder) {
	up := time.Since(s.started)
	field(b, "redis_version", *s.serverVersion.Load())
	field(b, "redis_mode", "standalone")
	field(b, "os", runtime.GOOS+" "+runtime.GOARCH)
	field(b, "arch_bits", 32<<(^uint(0)>>63))
	field(b, "multiplexing_api", "epoll")
	field(b, "process_id", os.Getpid())
	field(b, "tcp_port", s.port())
	field(b, "server_time_usec", time.Now().UnixMicro())
	field(b, "uptime_in_seconds", int(up.Seconds()))
	field(b, "uptime_in_days", int(up.Hours()/24))
}

func (s *Server) infoClients(b *strings.Builder) {
	field(b, "connected_clients", s.Clients())
	field(b, "maxclients", s.cfg.MaxClients)
	field(b, "blocked_clients", 0)
}

func (s *Server) infoMemory(b *strings.Builder) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	field(b, "used_memory", m.HeapAlloc)
	field(b, "used_memory_rss", m.Sys-m.HeapReleased)
	field(b, "maxmemory", 0)
}

func (s *Server) infoPersistence(b *strings.Builder) {
	field(b, "loading", 0)
	field(b, "aof_enabled", 0)
}

func (s *Server) infoStats(b *strings.Builder) {
	field(b, "total_connections_received", s.accepted.Load())
	field(b, "total_commands_processed", s.commandsProcessed())
	field(b, "rejected_connections", s.refused.Load())
}

func (s *Server) infoReplication(b *strings.Builder) {
	field(b, "role", "master")
	field(b, "connected_slaves", 0)
}

// infoCluster says what redis-py up to 5.0 looks at before it asks for the
// cluster's nodes. The mode of HELLO and of the server section stays standalone.
func (s *Server) infoCluster(b *strings.Builder) {
	enabled := 1
	if s.cfg.NoClusterEmulation {
		enabled = 0
	}
	field(b, "cluster_enabled", enabled)
}

func (s *Server) infoProxy(b *strings.Builder) {
	field(b, "proxy_version", s.cfg.Version)
	field(b, "go_version", runtime.Version())
	field(b, "goroutines", runtime.NumGoroutine())
	field(b, "slots_covered", s.d.Covered())
	field(b, "nodes", len(s.d.Pool().Nodes()))
}

// commandsProcessed returns the number of commands since the start.
func (s *Server) commandsProcessed() (sum uint64) {
	counts := s.d.Counts()
	for _, n := range counts.Requests {
		sum += n
	}
	return sum
}
