package proxy

import (
	"strconv"
	"strings"
)

// serverVersion is what the cluster's nodes are.
type serverVersion struct {
	name   string // "redis" or "valkey"
	number string // "7.2.4"
	// release is the number to compare with, 7.2 for "7.2.4"; 0 if it cannot be read.
	release float64
}

// parseServerVersion reads "valkey 8.1.0"; a number alone is Redis's.
func parseServerVersion(text string) *serverVersion {
	name, number, named := strings.Cut(text, " ")
	if !named {
		name, number = "redis", text
	}
	v := &serverVersion{name: name, number: number}
	major, rest, _ := strings.Cut(number, ".")
	minor, _, _ := strings.Cut(rest, ".")
	if n, err := strconv.ParseFloat(major+"."+minor, 64); err == nil {
		v.release = n
	}
	return v
}

// since says from which versions on something is there; 0: in none.
type since struct{ redis, valkey float64 }

// sinceRedis is what Valkey has as well, which began as Redis 7.2.
func sinceRedis(release float64) since { return since{release, 7.2} }

// ever is what every version has.
var ever = sinceRedis(1)

// has reports whether the servers have what is there since then.
func (v *serverVersion) has(s since) bool {
	first := s.redis
	if v.name == "valkey" {
		first = s.valkey
	}
	return first > 0 && v.release >= first
}

// version returns what the cluster's nodes are, as far as it is known. Safe at any time.
func (s *Server) version() *serverVersion { return s.servers.Load() }
