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
	since since
	write func(b []byte, p *portrait) []byte
}

// clientFields are those of CLIENT LIST in the servers' order, which differs from
// version to version only in what is not there. The two of CLIENT SETINFO are
// told in any version, at the end, since the proxy takes it in any. What the proxy
// does not know, or has no counterpart of, is what an idle client's would be.
var clientFields = []clientField{
	{"id", ever, func(b []byte, p *portrait) []byte { return strconv.AppendUint(b, p.id, 10) }},
	{"addr", ever, func(b []byte, p *portrait) []byte { return append(b, p.addr...) }},
	{"laddr", sinceRedis(6.2), func(b []byte, p *portrait) []byte { return append(b, p.laddr...) }},
	{"fd", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.fd), 10) }},
	{"name", ever, func(b []byte, p *portrait) []byte { return append(b, p.badge.name...) }},
	{"age", ever, func(b []byte, p *portrait) []byte { return appendSeconds(b, p.age) }},
	{"idle", ever, func(b []byte, p *portrait) []byte { return appendSeconds(b, p.idle) }},
	{"flags", ever, func(b []byte, p *portrait) []byte { return append(b, p.flags()...) }},
	{"capa", since{0, 8.1}, func(b []byte, p *portrait) []byte { return append(b, p.badge.capa()...) }},
	{"db", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.activity.Profile.DB), 10) }},
	{"sub", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.badge.channels), 10) }},
	{"psub", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.badge.patterns), 10) }},
	{"ssub", sinceRedis(7), func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.badge.shardChannels), 10) }},
	{"multi", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.queued), 10) }},
	{"watch", since{7.4, 8}, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.watched), 10) }},
	{"qbuf", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.activity.Unread), 10) }},
	{"qbuf-free", ever, always("0")},
	{"argv-mem", sinceRedis(6.2), func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, int64(p.argBytes), 10) }},
	{"multi-mem", sinceRedis(7), func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.queuedBytes, 10) }},
	{"rbs", sinceRedis(7), always("0")},
	{"rbp", sinceRedis(7), always("0")},
	{"obl", ever, always("0")},
	{"oll", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, min(p.unwritten, 1), 10) }},
	{"omem", ever, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.unwritten, 10) }},
	{"tot-mem", sinceRedis(6.2), func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.memory(), 10) }},
	{"events", ever, func(b []byte, p *portrait) []byte {
		if p.unwritten > 0 {
			return append(b, "rw"...)
		}
		return append(b, 'r')
	}},
	{"cmd", ever, func(b []byte, p *portrait) []byte { return append(b, p.cmd...) }},
	{"user", ever, func(b []byte, p *portrait) []byte { return append(b, p.user...) }},
	{"redir", sinceRedis(6.2), func(b []byte, p *portrait) []byte {
		if !p.badge.tracking {
			return append(b, "-1"...)
		}
		return strconv.AppendInt(b, p.badge.redirect, 10)
	}},
	{"resp", sinceRedis(7), func(b []byte, p *portrait) []byte {
		return strconv.AppendInt(b, int64(max(p.activity.Profile.Proto, resp.RESP2)), 10)
	}},
	{"lib-name", ever, func(b []byte, p *portrait) []byte { return append(b, p.badge.libName...) }},
	{"lib-ver", ever, func(b []byte, p *portrait) []byte { return append(b, p.badge.libVer...) }},
	{"io-thread", since{8, 0}, always("0")},
	{"tot-net-in", since{8.2, 8}, func(b []byte, p *portrait) []byte { return strconv.AppendUint(b, p.activity.Bytes, 10) }},
	{"tot-net-out", since{8.2, 8}, func(b []byte, p *portrait) []byte { return strconv.AppendInt(b, p.written, 10) }},
	{"tot-cmds", since{8.2, 8}, func(b []byte, p *portrait) []byte { return strconv.AppendUint(b, p.activity.Requests, 10) }},
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

// appendLine appends the line of CLIENT LIST for servers of that version.
func (p *portrait) appendLine(b []byte, version *serverVersion) []byte {
	begin := len(b)
	for i := range clientFields {
		f := &clientFields[i]
		if !version.has(f.since) {
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
