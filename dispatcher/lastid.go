package dispatcher

import (
	"bytes"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// lastIDs are the IDs that '$' means in an XREAD that blocks: what comes after
// the call counts. If the call has to be made again elsewhere, that must not mean
// the time of the second call. So the last entry of each stream is asked for right
// in front of the first one, in the same piece, and its ID takes the place of '$' in
// the others. An entry that comes in between is one that came after the call.
type lastIDs struct {
	streams []lastID // at least one
}

// lastID is a '$' and the ID that it means.
type lastID struct {
	at  int // which argument it is
	key []byte
	id  []byte // nil: not known
}

var dollar = []byte("$")

// lastIDsOf finds the places of '$', nil if there are none. The keys are copied.
func lastIDsOf(row *command.Row, args [][]byte) *lastIDs {
	if row.Name != "xread" {
		return nil
	}
	l := &lastIDs{}
	keys, err := row.AppendKeys(nil, args)
	if err != nil || len(keys) == 0 || keys[len(keys)-1]+len(keys) >= len(args) {
		return nil
	}
	for _, k := range keys {
		if at := k + len(keys); bytes.Equal(args[at], dollar) {
			l.streams = append(l.streams, lastID{at: at, key: bytes.Clone(args[k])})
		}
	}
	if len(l.streams) == 0 {
		return nil
	}
	return l
}

// questions returns a task for each ID that is not known. The replies come
// before that to the command behind them.
func (l *lastIDs) questions(q leg) (tasks []*backend.Task) {
	for i := range l.streams {
		if s := &l.streams[i]; s.id == nil {
			wire := resp.AppendCommandBytes(nil, [][]byte{[]byte("XREVRANGE"), s.key, []byte("+"), []byte("-"), []byte("COUNT"), []byte("1")})
			tasks = append(tasks, &backend.Task{Wire: wire, Handler: s, Asking: q.asking})
		}
	}
	return tasks
}

// Replied implements backend.Handler. A user who may not ask gets the '$' of
// each call.
func (s *lastID) Replied(run []backend.Reply, _ *backend.Chunk) backend.Flusher {
	v, _, err := resp.ReadValue(run[0].Bytes)
	switch {
	case err != nil || v.Kind != '*':
	case len(v.Elems) == 0:
		s.id = []byte("0-0")
	case len(v.Elems[0].Elems) > 0:
		s.id = []byte(v.Elems[0].Elems[0].Str)
	}
	return nil
}

// Failed implements backend.Handler.
func (s *lastID) Failed(*backend.Task, *backend.LostError) backend.Flusher { return nil }

func (l *lastIDs) fault() []byte { return nil }

// fill puts the IDs that are known among the arguments.
func (l *lastIDs) fill(args [][]byte) {
	for _, s := range l.streams {
		if s.id != nil && s.at < len(args) {
			args[s.at] = s.id
		}
	}
}
