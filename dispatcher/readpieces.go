package dispatcher

import (
	"bytes"

	"redis-cluster-proxy/resp"
)

// place cuts a reply into the streams that it is about, which are some of those
// at the places at, in that order.
func (r *reading) place(found [][]byte, at []int, reply []byte) {
	kind, n, skip, ok := resp.Header(reply)
	if !ok {
		return
	}
	rest := reply[skip:]
	if kind == '%' {
		n /= 2
	}
	for range n {
		size, key := r.element(rest, kind == '%')
		for len(at) > 0 && !bytes.Equal(r.keys[at[0]], key) {
			at = at[1:]
		}
		if len(at) == 0 || size == 0 {
			return
		}
		found[at[0]] = rest[:size]
		at, rest = at[1:], rest[size:]
	}
}

// element returns the size of the first stream in b, and its key.
func (r *reading) element(b []byte, pair bool) (size int, key []byte) {
	head := 0
	if !pair {
		_, _, head, _ = resp.Header(b)
	}
	n, err := resp.ReplyLen(b[head:])
	if err != nil || n == 0 {
		return 0, nil
	}
	v, _, err := resp.ReadValue(b[head : head+n])
	if err != nil {
		return 0, nil
	}
	if !pair {
		size, err = resp.ReplyLen(b)
	} else if size, err = resp.ReplyLen(b[n:]); err == nil {
		size += n
	}
	if err != nil {
		return 0, nil
	}
	return size, []byte(v.Str)
}

// lastEntryID returns the ID in the reply to XREVRANGE, 0-0 if there is none; nil
// if it is an error.
func lastEntryID(reply []byte) []byte {
	v, _, err := resp.ReadValue(reply)
	switch {
	case err != nil || v.Kind != '*':
		return nil
	case len(v.Elems) == 0:
		return []byte("0-0")
	case len(v.Elems[0].Elems) == 0:
		return nil
	}
	return []byte(v.Elems[0].Elems[0].Str)
}
