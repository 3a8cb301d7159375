package scan

import (
	"bytes"
	"strconv"
)

// Request is a SCAN that was read.
type Request struct {
	start   position
	count   int
	match   []byte   // nil: all keys
	kind    []byte   // of TYPE; nil: all
	options [][]byte // all but COUNT, as the client wrote them
}

// defaultCount is Redis's.
const defaultCount = 10

// Parse reads a whole command. It keeps slices of args. It is false for what a
// server would refuse, and for options that it does not know: the words for that
// are a server's.
func Parse(args [][]byte) (r Request, ok bool) {
	if len(args) < 2 {
		return r, false
	}
	cursor, ok := parseCursor(args[1])
	if !ok {
		return r, false
	}
	r.start, r.count = positionOf(cursor), defaultCount
	for rest := args[2:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) < 2 {
			return r, false
		}
		value := rest[1]
		switch {
		case is(rest[0], "COUNT"):
			n, err := strconv.Atoi(string(value))
			if err != nil || n < 1 || strconv.Itoa(n) != string(value) {
				return r, false
			}
			r.count = n
			continue
		case is(rest[0], "MATCH"):
			if r.match = value; string(value) == "*" {
				r.match = nil
			}
		case is(rest[0], "TYPE"):
			r.kind = value
		default:
			return r, false
		}
		r.options = append(r.options, rest[0], value)
	}
	return r, true
}

func is(arg []byte, word string) bool { return bytes.EqualFold(arg, []byte(word)) }

// Tag returns a key that lies in the slot of all keys that match the pattern,
// if the pattern says which slot that is: by a literal hash tag, or because it is
// literal altogether. Else ok is false. It is part of pattern.
func Tag(pattern []byte) (key []byte, ok bool) {
	open := -1
	for i, c := range pattern {
		switch {
		case c == '*' || c == '?' || c == '[' || c == '\\':
			return nil, false
		case c == '{' && open < 0:
			open = i
		case c == '}' && open >= 0 && i > open+1:
			return pattern[:i+1], true
		case c == '}' && i == open+1 && open >= 0:
			open = len(pattern) // an empty tag: all braces are like other characters
		}
	}
	return pattern, true
}
