package proxy

import (
	"strconv"
	"time"
	"unsafe"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// clientField is one field of CLIENT LIST.
type clientField struct {
	name  string
	since float64 // the version of Redis that brought it
	write func(b []byte, p *portrait) []byte
}

// clientFields are those of CLIENT LIST in Redis's order, which differs from
// version to version only in what was not there yet. The two of CLIENT SETINFO are
// told in any version, at the end, since the proxy takes it in any. What the proxy
// does not know, or has no counterpart of, is what an idle client's would be.
var clientFields = []clientField{
	{"id", 0, func(b []byte, p *portrait) []byte { return strconv.AppendUint(b, p.id, 10) }},
	{"addr", 0, func(b []byte, p *portrait) []byte { return append(b, p.addr...) }},
	{"laddr", 0, func(b []byte, p *portrait) []byte { return append(b, p.laddr...) }},
	{"fd", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.fd), 10) }},
	{"name", 0, func(b []byte, p *portrait) []byte { return append(b, p.badge.name...) }},
	{"age", 0, func(b []byte, p *portrait) []byte { return appendSeconds(b, p.age) }},
	{"idle", 0, func(b []byte, p *portrait) []byte { return appendSeconds(b, p.idle) }},
	{"flags", 0, func(b []byte, p *portrait) []byte { return append(b, p.flags()...) }},
	{"db", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.activity.Profile.DB), 10) }},
	{"sub", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.badge.channels), 10) }},
	{"psub", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.badge.patterns), 10) }},
	{"ssub", 7, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.badge.shardChannels), 10) }},
	{"multi", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.queued), 10) }},
	{"watch", 7.4, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.watched), 10) }},
	{"qbuf", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.activity.Unread), 10) }},
	{"qbuf-free", 0, always("0")},
	{"argv-mem", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.argBytes), 10) }},
	{"multi-mem", 7, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.queuedBytes, 10) }},
	{"rbs", 7, always("0")},
	{"rbp", 7, always("0")},
	{"obl", 0, always("0")},
	{"oll", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, min(p.unwritten, 1), 10) }},
	{"omem", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.unwritten, 10) }},
	{"tot-mem", 0, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.memory(), 10) }},
	{"events", 0, func(b []byte, p *portrait) []byte {
		if p.unwritten > 0 {
			return append(b, "rw"...)
		}
		return append(b, 'r')
	}},
	{"cmd", 0, func(b []byte, p *portrait) []byte { return append(b, p.cmd...) }},
	{"user", 0, func(b []byte, p *portrait) []byte { return append(b, p.user...) }},
	{"redir", 0, func(b []byte, p *portrait) []byte {
		if !p.badge.tracking {
			return append(b, "-1"...)
		}
		return strconv.AppendInt(b, p.badge.redirect, 10)
	}},
	{"resp", 7, func(b []byte, p *portrait) []byte {
		return strconv.AppendInt(b, int64(max(p.activity.Profile.Proto, resp.RESP2)), 10)
	}},
	{"lib-name", 0, func(b []byte, p *portrait) []byte { return append(b, p.badge.libName...) }},
	{"lib-ver", 0, func(b []byte, p *portrait) []byte { return append(b, p.badge.libVer...) }},
	{"io-thread", 8, always("0")},
	{"tot-net-in", 8, func(b []byte, p *portrait) []byte { return strconv.AppendUint(b, p.activity.Bytes, 10) }},
	{"tot-net-out", 8, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.written, 10) }},
	{"tot-cmds", 8, func(b []byte, p *portrait) []byte { return strconv.AppendUint(b, p.activity.Requests, 10) }},
}

// memory is about how many bytes the client costs.
func (p *portrait) memory() int64 {
	return int64(unsafe.Sizeof(session{})+unsafe.Sizeof(dispatcher.Pipeline{})) +
		int64(p.activity.Unread+p.argBytes) + p.queuedBytes + p.unwritten
}

func always(text string) func([]byte, *portrait) []byte {
	return func(b []byte, _ *portrait) []byte { return append(b, text...) }
}

func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendInt(b, int64(d/time.Second), 10)
}

// appendLine appends the line of CLIENT LIST for a server of that version.
func (p *portrait) appendLine(b []byte, version float64) []byte {
	begin := len(b)
	for i := range clientFields {
		f := &clientFields[i]
		if f.since > version {
			continue
		}
		if len(b) > begin {
			b = append(b, ' ')
		}
		b = append(append(b, f.name...), '=')
		b = f.write(b, p)
	}
	return append(b, '\n')
}
