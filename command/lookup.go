package command

// maxNameBytes bounds the names that Lookup can find; Overlay leaves longer ones out. The longest of the built-in
// rows, both parts together, has 29.
const maxNameBytes = 64

// Lookup finds the row of a request by its first argument, and by its second if that is a container (XINFO STREAM).
// Case does not matter. It also checks the number of arguments. The error, if any, is an *Error with the text for the
// client. args must not be empty. On success nothing is allocated.
func (t *Table) Lookup(args [][]byte) (*Row, error) {
	var row *Row
	if len(args[0]) <= maxShortName {
		row = t.short.find(args[0])
	} else {
		row = find(t.byName, args[0])
	}
	if row == nil {
		return nil, unknownCommand(args)
	}
	if row.subs != nil && len(args) > 1 {
		sub := find(row.subs, args[1])
		switch {
		case sub != nil:
			row = sub
		case !row.openSubs:
			return nil, unknownSubcommand(args)
		}
	}
	if !row.ArityOK(len(args)) {
		return nil, wrongArity(row.Name)
	}
	return row, nil
}

// find looks name up in any case. It is folded into an array on the stack, and the conversion of a map's index does
// not allocate (BenchmarkLookup).
func find(rows map[string]*Row, name []byte) *Row {
	var folded [maxNameBytes]byte
	if len(name) > len(folded) {
		return nil
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		folded[i] = c
	}
	return rows[string(folded[:len(name)])]
}

// equalFold reports whether arg is word in any case, as strcasecmp in the C locale would have it. word is in lower
// case.
func equalFold(arg []byte, word string) bool {
	if len(arg) != len(word) {
		return false
	}
	for i, c := range arg {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
