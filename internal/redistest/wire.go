package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errWire is what a stream that is not RESP ends with.
var errWire = errors.New("not RESP")

// cutCommand cuts the first command from buf: an array of bulk strings, or an inline command without quotes. n is the
// number of bytes it takes, 0 if it is incomplete. It starts anew each time, so it is for tests only.
func cutCommand(buf []byte) (args []string, n int, err error) {
	line, n := cutLine(buf)
	if n == 0 {
		return nil, 0, nil
	}
	if !strings.HasPrefix(line, "*") {
		return strings.Fields(line), n, nil
	}
	count, err := strconv.Atoi(line[1:])
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %q", errWire, line)
	}
	for range count {
		line, m := cutLine(buf[n:])
		if m == 0 {
			return nil, 0, nil
		}
		size, err := strconv.Atoi(strings.TrimPrefix(line, "$"))
		if err != nil || size < 0 || line[0] != '$' {
			return nil, 0, fmt.Errorf("%w: %q", errWire, line)
		}
		n += m
		if len(buf) < n+size+2 {
			return nil, 0, nil
		}
		args = append(args, string(buf[n:n+size]))
		n += size + 2
	}
	return args, n, nil
}

// cutLine cuts a line and returns it without its end, and how many bytes it takes; 0 if its end is not there.
func cutLine(buf []byte) (line string, n int) {
	i := bytes.IndexByte(buf, '\n')
	if i < 0 {
		return "", 0
	}
	return strings.TrimSuffix(string(buf[:i]), "\r"), i + 1
}

// replies is a buffer of encoded replies.
type replies struct {
	proto int // 2 or 3
	buf   []byte
}

func (r *replies) raw(s string)    { r.buf = append(r.buf, s...) }
func (r *replies) simple(s string) { r.raw("+" + s + "\r\n") }
func (r *replies) error(s string)  { r.raw("-" + s + "\r\n") }
func (r *replies) int(n int)       { r.raw(":" + strconv.Itoa(n) + "\r\n") }
func (r *replies) array(n int)     { r.raw("*" + strconv.Itoa(n) + "\r\n") }
func (r *replies) bulk(s string)   { r.raw("$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n") }

// bulks writes an array of bulk strings.
func (r *replies) bulks(s ...string) {
	r.array(len(s))
	r.items(s...)
}

// items writes bulk strings one after the other.
func (r *replies) items(s ...string) {
	for _, one := range s {
		r.bulk(one)
	}
}

func (r *replies) null() {
	if r.proto == 3 {
		r.raw("_\r\n")
	} else {
		r.raw("$-1\r\n")
	}
}

func (r *replies) nullArray() {
	if r.proto == 3 {
		r.raw("_\r\n")
	} else {
		r.raw("*-1\r\n")
	}
}

// text writes a verbatim string, which in RESP2 is a bulk string.
func (r *replies) text(s string) {
	if r.proto == 3 {
		r.raw("=" + strconv.Itoa(len(s)+4) + "\r\ntxt:" + s + "\r\n")
	} else {
		r.bulk(s)
	}
}

// set writes the header of a set.
func (r *replies) set(n int) {
	if r.proto == 3 {
		r.raw("~" + strconv.Itoa(n) + "\r\n")
	} else {
		r.array(n)
	}
}

// mapping writes the header of a map of that many pairs.
func (r *replies) mapping(pairs int) {
	if r.proto == 3 {
		r.raw("%" + strconv.Itoa(pairs) + "\r\n")
	} else {
		r.array(2 * pairs)
	}
}
