package proxy

import (
	"bytes"
	"path"
	"strconv"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// settings are what CONFIG GET tells: the proxy's own, in the words of
// redis.conf, in the order in which they are listed.
func (s *session) settings() [][2]string {
	cfg := &s.srv.cfg
	maxBulk := cfg.MaxBulkBytes
	if maxBulk == 0 {
		maxBulk = resp.MaxBulkBytes
	}
	return [][2]string{
		{"appendonly", "no"},
		{"databases", "1"},
		{"maxclients", strconv.Itoa(cfg.MaxClients)},
		{"proto-max-bulk-len", strconv.Itoa(maxBulk)},
		{"save", ""},
		{"tcp-keepalive", "15"},
		{"timeout", "0"},
	}
}

func (s *session) configGet(row *command.Row, cmd *resp.Command) verdict {
	var found [][2]string
	for _, kv := range s.settings() {
		for _, pattern := range cmd.Args[2:] {
			if ok, err := path.Match(strings.ToLower(string(pattern)), kv[0]); ok && err == nil {
				if len(pattern) == len(kv[0]) && !bytes.ContainsAny(pattern, `*?[\`) {
					kv[0] = string(pattern) // Redis repeats a name as it was asked for
				}
				found = append(found, kv)
				break
			}
		}
	}
	b := resp.AppendMapHeader(nil, s.proto(), len(found))
	for _, kv := range found {
		b = resp.AppendBulkString(b, kv[0])
		b = resp.AppendBulkString(b, kv[1])
	}
	return s.say(row, b)
}
