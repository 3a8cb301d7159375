package dispatcher

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// timeLimit is for how long a command may block, as it says itself. The node
// keeps the time; the proxy needs it only to send the rest of it to another.
type timeLimit struct {
	known bool          // it is one of Redis's own commands
	at    int           // which argument it is
	unit  time.Duration // of that
	end   int64         // by backend.Now; 0: never
}

// limitOf reads the limit of a command. One that is malformed is no limit, for
// then the node answers at once.
func limitOf(row *command.Row, args [][]byte) timeLimit {
	at, unit := row.TimeoutArg(args)
	if at == 0 {
		return timeLimit{}
	}
	l := timeLimit{known: true, at: at, unit: unit}
	const longest = float64(1<<62) / float64(time.Nanosecond)
	n, err := strconv.ParseFloat(string(args[at]), 64)
	if ns := n * float64(unit); err == nil && n > 0 && ns < longest {
		l.end = backend.Now() + int64(ns)
	}
	return l
}

func (l *timeLimit) over() bool { return l.end != 0 && backend.Now() >= l.end }

// context returns one that ends with the limit.
func (l *timeLimit) context() (context.Context, context.CancelFunc) {
	if l.end == 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), time.Duration(l.end-backend.Now()))
}

// shorten replaces the limit among the arguments by what is left of it.
func (l *timeLimit) shorten(args [][]byte) {
	if l.end == 0 {
		return
	}
	left := max(time.Duration(l.end-backend.Now()), time.Millisecond)
	if l.unit == time.Second {
		args[l.at] = strconv.AppendFloat(nil, left.Seconds(), 'f', 3, 64)
	} else {
		args[l.at] = strconv.AppendInt(nil, int64((left+l.unit-1)/l.unit), 10)
	}
}

// isNull reports whether a reply is nothing, in one of its three forms.
func isNull(reply []byte) bool {
	return reply[0] == '_' || bytes.HasPrefix(reply, []byte("*-1")) || bytes.HasPrefix(reply, []byte("$-1"))
}

func (e *Errand) proto() resp.Proto { return e.profile.Value().Proto }
