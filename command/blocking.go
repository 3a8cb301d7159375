package command

import "time"

// Blocking reports whether this request may block its connection until something happens elsewhere: the commands
// flagged so, XREAD and XREADGROUP only with BLOCK, and WAIT and WAITAOF, which Redis 7.0 does not flag.
func (r *Row) Blocking(args [][]byte) bool {
	switch r.Name {
	case "xread", "xreadgroup":
		return streamBlockArg(args) != 0
	case "wait", "waitaof":
		return true
	}
	return r.Flags.Has(FlagBlocking)
}

// TimeoutArg is the index of the argument that says how long a blocking request waits, and that argument's unit: a
// second, which may be written as a decimal fraction, or a millisecond. 0 if the request has none or is not one of
// Redis's own blocking commands. Waiting for 0 is for ever.
func (r *Row) TimeoutArg(args [][]byte) (index int, unit time.Duration) {
	switch r.Name {
	case "blpop", "brpop", "bzpopmin", "bzpopmax", "blmove", "brpoplpush":
		index, unit = len(args)-1, time.Second
	case "blmpop", "bzmpop":
		index, unit = 1, time.Second
	case "wait":
		index, unit = 2, time.Millisecond
	case "waitaof":
		index, unit = 3, time.Millisecond
	case "xread", "xreadgroup":
		index, unit = streamBlockArg(args), time.Millisecond
	}
	if index < 1 || index >= len(args) {
		return 0, 0
	}
	return index, unit
}

// streamBlockArg is the index of the number behind the BLOCK option of XREAD or XREADGROUP; 0: it does not block. A
// group, a consumer or a stream may be called "block". The last BLOCK counts.
func streamBlockArg(args [][]byte) int {
	found := 0
	for i := 1; i+1 < len(args); i++ {
		switch {
		case equalFold(args[i], "block"):
			i++
			found = i
		case equalFold(args[i], "count"):
			i++
		case equalFold(args[i], "group"):
			i += 2
		case equalFold(args[i], "streams"):
			return found
		}
	}
	return found
}
