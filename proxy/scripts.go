package proxy

import (
	"bytes"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/resp"
)

// scriptLoaded remembers the script for nodes that will lack it: those that join
// the cluster, restart, or are told to forget.
func scriptLoaded(d *dispatcher.Dispatcher, args [][]byte, reply dispatcher.Reply) dispatcher.Reply {
	if reply.Bytes()[0] == '$' {
		d.LearnScript(args[2])
	}
	return reply
}

func scriptsFlushed(d *dispatcher.Dispatcher, _ [][]byte, reply dispatcher.Reply) dispatcher.Reply {
	if bytes.Equal(reply.Bytes(), replyOK) {
		d.ForgetScripts()
	}
	return reply
}

// scriptsExist adds the scripts that the proxy would give to a node that lacks
// them: EVALSHA finds those, too.
func scriptsExist(d *dispatcher.Dispatcher, args [][]byte, reply dispatcher.Reply) dispatcher.Reply {
	v, _, err := resp.ReadValue(reply.Bytes())
	if err != nil || v.Kind != '*' || len(v.Elems) != len(args)-2 {
		return reply
	}
	b := resp.AppendArrayHeader(nil, len(v.Elems))
	for i, e := range v.Elems {
		n := e.Int
		if d.KnowsScript(args[2+i]) {
			n = 1
		}
		b = resp.AppendInt(b, n)
	}
	return dispatcher.Whole(b)
}
