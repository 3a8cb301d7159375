package scan

import (
	"bytes"
	"strconv"
	"strings"
)

// view is what a node says about itself in CLUSTER NODES
// (https://redis.io/docs/latest/commands/cluster-nodes/).
type view struct {
	own     [numSlots / 64]uint64 // the slots that it owns, as bits
	leaving map[int]string        // slots on their way to the node of that id
	coming  map[int]bool          // slots on their way here
	text    string
}

// parseView reads CLUSTER NODES. It is false without a line about the node
// itself.
func parseView(text string) (*view, bool) {
	v := &view{text: text}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || !flagged(f[2], "myself") {
			continue
		}
		if !flagged(f[2], "master") {
			return v, true // a replica owns nothing
		}
		for _, word := range f[8:] {
			v.read(word)
		}
		return v, true
	}
	return nil, false
}

func flagged(flags, flag string) bool {
	for f := range strings.SplitSeq(flags, ",") {
		if f == flag {
			return true
		}
	}
	return false
}

// read reads one word of slots: 7, 7-9, [7->-ID] or [7-<-ID].
func (v *view) read(word string) {
	if strings.HasPrefix(word, "[") {
		word = strings.Trim(word, "[]")
		if slot, id, ok := strings.Cut(word, "->-"); ok {
			v.leaving = put(v.leaving, slot, id)
		} else if slot, _, ok := strings.Cut(word, "-<-"); ok {
			v.coming = put(v.coming, slot, true)
		}
		return
	}
	first, last, ok := slotRun(word)
	for slot := first; ok && slot <= last; slot++ {
		v.own[slot/64] |= 1 << (slot % 64)
	}
}

func put[V any](m map[int]V, slot string, value V) map[int]V {
	n, err := strconv.ParseUint(slot, 10, slotBits)
	if err != nil {
		return m
	}
	if m == nil {
		m = make(map[int]V)
	}
	m[int(n)] = value
	return m
}

// slotRun reads a run of slots, "7-9", or a slot.
func slotRun(word string) (first, last int, ok bool) {
	from, to, isRun := strings.Cut(word, "-")
	if !isRun {
		to = from
	}
	a, err1 := strconv.ParseUint(from, 10, slotBits)
	b, err2 := strconv.ParseUint(to, 10, slotBits)
	return int(a), int(b), err1 == nil && err2 == nil
}

// owns reports whether the node owns the slot.
func (v *view) owns(slot int) bool { return v.own[slot/64]>>(slot%64)&1 != 0 }

// stable reports whether the node owns the slot and gives it to nobody: then all
// keys of the slot are there.
func (v *view) stable(slot int) bool { return v.owns(slot) && v.leaving[slot] == "" }

// holds reports whether keys that another node gives away arrive here.
func (v *view) holds(slot int) bool { return v.owns(slot) || v.coming[slot] }

// assigned reports whether, as far as the node knows, a slot from first to last
// belongs to anybody.
func (v *view) assigned(first, last int) bool {
	for line := range strings.Lines(v.text) {
		f := strings.Fields(line)
		for _, word := range f[min(8, len(f)):] {
			if a, b, ok := slotRun(word); ok && a <= last && b >= first {
				return true
			}
		}
	}
	return false
}

// addrOf returns the address at which the node knows the one with an id.
func (v *view) addrOf(id string) string {
	for line := range strings.Lines(v.text) {
		if rest, ok := strings.CutPrefix(line, id+" "); ok {
			addr, _, _ := strings.Cut(rest, "@")
			return addr
		}
	}
	return ""
}

// identity is what INFO says about the process that answers.
type identity struct {
	slotted bool   // it has a dictionary for each slot
	mark    uint64 // markBits that other processes do not have, by all likelihood
}

// parseIdentity reads the section "server" of INFO. It is false without a run
// id.
func parseIdentity(info []byte) (id identity, ok bool) {
	var redis, valkey string
	for line := range bytes.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch name {
		case "redis_version":
			redis = value
		case "valkey_version":
			valkey = value
		case "run_id":
			id.mark, ok = spread([]byte(value))&markMask, value != ""
		}
	}
	if valkey != "" {
		id.slotted = atLeast(valkey, 8, 0)
	} else {
		id.slotted = atLeast(redis, 7, 4)
	}
	return id, ok
}

func atLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(second)
	return a > major || a == major && b >= minor
}
