package proxy

import (
	"fmt"
	"strings"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// PROXY is for those who operate the proxy. No server has it, so COMMAND does
// not tell of it.

// operatorInfos are its rows.
var operatorInfos = []command.Info{{
	Name: "proxy", Arity: -2, Flags: operatorFlags,
	Subs: []command.Info{
		{Name: "proxy|explain", Arity: -3, Flags: operatorFlags},
		{Name: "proxy|help", Arity: 2, Flags: operatorFlags},
		{Name: "proxy|refresh", Arity: 2, Flags: operatorFlags},
		{Name: "proxy|slowlog", Arity: -2, Flags: operatorFlags},
		{Name: "proxy|topology", Arity: 2, Flags: operatorFlags},
	},
}}

var operatorFlags = []string{"noscript", "loading", "stale"}

// operatorCommands are the sub-commands of PROXY.
var operatorCommands = map[string]handler{
	"proxy|explain":  (*session).proxyExplain,
	"proxy|help":     (*session).proxyHelp,
	"proxy|refresh":  (*session).proxyRefresh,
	"proxy|slowlog":  (*session).proxySlowLog,
	"proxy|topology": (*session).proxyTopology,
}

// sayLines answers with simple strings, one a line, as HELP of Redis does:
// redis-cli shows them without quotes.
func (s *session) sayLines(row *command.Row, lines []string) verdict {
	b := resp.AppendArrayHeader(nil, len(lines))
	for _, line := range lines {
		b = resp.AppendSimple(b, line)
	}
	return s.say(row, b)
}

func (s *session) proxyHelp(row *command.Row, _ *resp.Command) verdict {
	return s.sayLines(row, []string{
		"PROXY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"EXPLAIN <command> [<arg> ...]",
		"    Say to which nodes a command would be sent now, how its replies would be",
		"    merged, and what would become of it if a connection were lost.",
		"REFRESH",
		"    Ask the cluster for its topology soon.",
		"SLOWLOG [<count>]",
		"    Return the latest entries of SLOWLOG, 10 by default, -1 for all, each with",
		"    its slowest node and how much of the time that had the command.",
		"TOPOLOGY",
		"    Return the topology that commands are routed by.",
		"HELP",
		"    Prints this help.",
	})
}

func (s *session) proxyExplain(row *command.Row, cmd *resp.Command) verdict {
	args := cmd.Args[2:]
	t := s.srv.treatment(s.pipe, args)
	return s.sayLines(row, t.lines(args, s.srv.d.ReadPrefer()))
}

func (s *session) proxyRefresh(row *command.Row, _ *resp.Command) verdict {
	s.srv.d.Refresh("PROXY REFRESH")
	return s.ok(row)
}

func (s *session) proxyTopology(row *command.Row, _ *resp.Command) verdict {
	l := s.srv.d.Layout()
	loaded := "not loaded yet"
	if !l.Loaded.IsZero() {
		loaded = "loaded " + time.Since(l.Loaded).Round(time.Millisecond).String() + " ago"
	}
	lines := []string{fmt.Sprintf("epoch %d, %d of %d slots covered, %s, read preference %s",
		l.Epoch, l.Covered, dispatcher.NumSlots, loaded, s.srv.d.ReadPrefer())}
	for _, sh := range l.Shards {
		lines = append(lines, nodeLine("primary", sh.Primary)+", "+rangeWords(sh.Ranges))
		for _, n := range sh.Replicas {
			lines = append(lines, nodeLine("    replica", n))
		}
	}
	return s.sayLines(row, lines)
}

func nodeLine(role string, n dispatcher.NodeLayout) string {
	if n.Addr == "" {
		return "no " + role
	}
	words := []string{role, n.Addr}
	if n.ID != "" {
		words = append(words, n.ID)
	}
	line := strings.Join(words, " ")
	if !n.Healthy {
		line += ", failed"
	}
	if !n.Reachable {
		line += ", not reachable"
	}
	return line
}

func rangeWords(ranges [][2]uint16) string {
	if len(ranges) == 0 {
		return "no slots"
	}
	words := make([]string, len(ranges))
	for i, r := range ranges {
		words[i] = fmt.Sprintf("%d-%d", r[0], r[1])
		if r[0] == r[1] {
			words[i] = fmt.Sprint(r[0])
		}
	}
	return "slots " + strings.Join(words, " ")
}
