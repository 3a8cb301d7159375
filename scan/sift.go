package scan

import (
	"bytes"
	"slices"
)

// sift leaves out the keys of a listing that SCAN would not have told: those
// that do not match, are of another type, or have expired.
func (w *walk) sift(l listed) ([]found, error) {
	if l.sifted {
		return l.keys, nil
	}
	if w.req.match != nil {
		l.keys = slices.DeleteFunc(l.keys, func(k found) bool { return !matches(w.req.match, k.key) })
	}
	switch {
	case len(l.keys) == 0, w.req.kind == nil && l.lasting:
		return l.keys, nil
	case w.req.kind != nil:
		return w.siftByType(l)
	}
	return w.siftExpired(l)
}

// lasting reports whether, by the section "keyspace" of INFO, no key expires.
func lasting(info []byte) bool {
	_, db, found := bytes.Cut(info, []byte("db0:"))
	return !found || bytes.Contains(db, []byte(",expires=0,"))
}

var cmdAsking = command("ASKING")

// inquire asks the node of l one question about each run of keys.
func (w *walk) inquire(l *listed, name string, runs [][]found) ([][]byte, error) {
	var commands [][][]byte
	for _, run := range runs {
		args := make([][]byte, 1, len(run)+1)
		args[0] = []byte(name)
		for _, k := range run {
			args = append(args, k.key)
		}
		if l.asking {
			commands = append(commands, cmdAsking)
		}
		commands = append(commands, args)
	}
	replies, err := w.c.Ask(w.ctx, l.addr, commands...)
	if err != nil {
		return nil, &trouble{err}
	}
	if l.asking {
		for i := range runs {
			replies[i] = replies[2*i+1]
		}
	}
	return replies[:len(runs)], nil
}

// siftExpired leaves out keys that have expired and are still listed.
func (w *walk) siftExpired(l listed) ([]found, error) {
	keys := l.keys
	var runs [][]found
	for begin, i := 0, 1; i <= len(keys); i++ {
		if i == len(keys) || keys[i].slot != keys[begin].slot {
			runs = append(runs, keys[begin:i])
			begin = i
		}
	}
	replies, err := w.inquire(&l, "EXISTS", runs)
	if err != nil {
		return nil, err
	}
	var left []found
	for i, run := range runs {
		if n, ok := integer(replies[i]); ok && n < len(run) {
			l.keys = run
			if run, err = w.siftByType(l); err != nil {
				return nil, err
			}
		}
		left = append(left, run...) // also if they are on their way elsewhere: then they exist
	}
	return left, nil
}

// siftByType leaves out keys that are not of the type that the request names, if
// it names one, and keys that do not exist.
func (w *walk) siftByType(l listed) ([]found, error) {
	runs := make([][]found, len(l.keys))
	for i := range l.keys {
		runs[i] = l.keys[i : i+1]
	}
	replies, err := w.inquire(&l, "TYPE", runs)
	if err != nil {
		return nil, err
	}
	var left []found
	for i, k := range l.keys {
		reply := replies[i]
		if reply[0] == '-' { // it has moved in between
			if reply, err = w.c.AskSlot(w.ctx, uint16(k.slot), []byte("TYPE"), k.key); err != nil {
				return nil, err
			}
			if err := refusal(reply); err != nil {
				return nil, err
			}
		}
		kind := bytes.TrimSpace(reply[1:])
		if string(kind) != "none" && (w.req.kind == nil || bytes.EqualFold(kind, w.req.kind)) {
			left = append(left, k)
		}
	}
	return left, nil
}
