package resp

import (
	"math"
	"strconv"
)

// maxValueDepth bounds the nesting ReadValue decodes, since it recurses. Redis
// itself nests a handful deep, Lua scripts less than 200.
const maxValueDepth = 1024

// Value is a decoded reply, for tests and the control plane. It shares no
// memory with the bytes it was read from.
type Value struct {
	// Kind is the type byte on the wire: one of + - : $ * in RESP2, and
	// _ # , ( ! = % ~ > besides in RESP3.
	Kind byte
	// Str is the text of + - $ ! = (, and of : and , as it was on the wire. For
	// = it is without the format.
	Str string
	// Int is the number of ':'.
	Int int64
	// Float is the number of ','.
	Float float64
	// Bool is the value of '#'.
	Bool bool
	// Elems are the elements of * ~ > and, keys and values in turn, of '%'.
	Elems []Value
	// Null says that this is "$-1", "*-1" or "_".
	Null bool
	// Attr is the attribute that preceded the reply, with Kind '|' and Elems
	// like a map; nil without one.
	Attr *Value
}

// ReadValue decodes the first reply in buf and returns its length n, 0 if it is
// incomplete. err is a *ProtocolError: what ReplyLen would return, or that a
// number, a boolean, a null or a verbatim string is not well formed, or that the
// reply is nested more than 1024 deep.
func ReadValue(buf []byte) (v Value, n int, err error) {
	n, err = ReplyLen(buf)
	if err != nil || n == 0 {
		return Value{}, 0, err
	}
	if v, _, err = decode(buf[:n], 0); err != nil {
		return Value{}, 0, err
	}
	return v, n, nil
}

// decode decodes the reply at the start of buf, which ReplyScanner has found to
// be whole, and returns the bytes behind it.
func decode(buf []byte, depth int) (v Value, rest []byte, err error) {
	if depth > maxValueDepth {
		return v, nil, errReplyDepth
	}
	v.Kind = buf[0]
	var s ReplyScanner
	n, elements, err := s.part(buf)
	if err != nil || n == 0 {
		return v, nil, err
	}
	part, rest := buf[:n], buf[n:]
	switch v.Kind {
	case '|':
		return decodeAttributed(rest, elements-1, depth)
	case '*', '~', '>', '%':
		v.Null = part[1] == '-'
		v.Elems, rest, err = decodeElems(rest, elements, depth)
	case '$', '=', '!':
		_, start, _ := s.length(buf, buf)
		if v.Null = part[1] == '-'; !v.Null {
			v.Str = string(part[start : n-2])
		}
		if v.Kind == '=' {
			if len(v.Str) < 4 || v.Str[3] != ':' {
				return v, nil, errReplyScalar
			}
			v.Str = v.Str[4:]
		}
	default:
		err = v.decodeLine(string(part[1 : n-2]))
	}
	return v, rest, err
}

// decodeElems decodes n replies.
func decodeElems(buf []byte, n, depth int) (elems []Value, rest []byte, err error) {
	if n > 0 {
		elems = make([]Value, n)
	}
	for i := range elems {
		if elems[i], buf, err = decode(buf, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return elems, buf, nil
}

// decodeAttributed decodes an attribute of n elements and the reply behind it.
func decodeAttributed(buf []byte, n, depth int) (v Value, rest []byte, err error) {
	attr := Value{Kind: '|'}
	if attr.Elems, buf, err = decodeElems(buf, n, depth); err != nil {
		return v, nil, err
	}
	if v, rest, err = decode(buf, depth+1); err != nil {
		return v, nil, err
	}
	v.Attr = &attr
	return v, rest, nil
}

// decodeLine sets v from the text of a reply of one line.
func (v *Value) decodeLine(text string) error {
	var err error
	v.Str = text
	switch v.Kind {
	case ':':
		v.Int, err = strconv.ParseInt(text, 10, 64)
	case ',':
		v.Float, err = parseFloat(text)
	case '#':
		if text != "t" && text != "f" {
			return errReplyScalar
		}
		v.Str, v.Bool = "", text == "t"
	case '_':
		if text != "" {
			return errReplyScalar
		}
		v.Null = true
	}
	if err != nil {
		return errReplyScalar
	}
	return nil
}

// parseFloat reads a double, be it one of the words of the protocol or of C.
func parseFloat(text string) (float64, error) {
	switch text {
	case "inf", "+inf":
		return math.Inf(1), nil
	case "-inf":
		return math.Inf(-1), nil
	case "nan", "-nan":
		return math.NaN(), nil
	}
	return strconv.ParseFloat(text, 64)
}
