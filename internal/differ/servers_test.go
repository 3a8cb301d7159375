package differ

import (
	"strconv"
	"strings"
	"testing"

	"redis-cluster-proxy/internal/redistest"
)

// The scripts are written for Redis 7.0, with which they are played. With the other servers that the directives @from, @before,
// @redis and @valkey speak of they are played by whoever puts one into the PATH as redis-server.

// scriptedFor is the version of Redis of which the scripts have every command, and differences.txt every difference.
const scriptedFor = 7.0

// serverKind is what the servers are.
type serverKind struct {
	name   string  // "redis" or "valkey"
	number float64 // 7.2 for 7.2.4; of Valkey what it calls itself compatible with
}

// kindOf asks a server.
func kindOf(t testing.TB, s *redistest.Server) serverKind {
	t.Helper()
	info, err := s.Client().Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	kind := serverKind{name: "redis"}
	for line := range strings.Lines(info) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "redis_version":
			major, rest, _ := strings.Cut(value, ".")
			minor, _, _ := strings.Cut(rest, ".")
			if kind.number, err = strconv.ParseFloat(major+"."+minor, 64); err != nil {
				t.Fatal(err)
			}
		case "valkey_version":
			kind.name = "valkey"
		}
	}
	return kind
}

// serverRange is some servers. The zero value is all.
type serverRange struct {
	name         string
	from, before float64
}

// direct takes a directive, if it is about servers.
func (r *serverRange) direct(directive string) (known bool, err error) {
	switch name, value, _ := strings.Cut(directive, "="); name {
	case "before":
		r.before, err = strconv.ParseFloat(value, 64)
	case "from":
		r.from, err = strconv.ParseFloat(value, 64)
	case "redis", "valkey":
		r.name = name
	default:
		return false, nil
	}
	return true, err
}

func (r serverRange) has(k serverKind) bool {
	return (r.name == "" || r.name == k.name) && k.number >= r.from && (r.before == 0 || k.number < r.before)
}
