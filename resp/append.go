package resp

import (
	"math"
	"strconv"
	"strings"
)

// Proto is a version of the protocol, as in HELLO.
type Proto int

// The versions there are.
const (
	RESP2 Proto = 2
	RESP3 Proto = 3
)

// AppendSimple appends a simple string, "+OK". A CR or LF in s becomes a space.
func AppendSimple(dst []byte, s string) []byte {
	return appendLine(append(dst, '+'), s)
}

// AppendError appends an error. text starts with the error's code, "ERR ...",
// and has no '-'. As in Redis, CR and LF are cut off at both ends of text and
// become spaces inside it.
func AppendError(dst []byte, text string) []byte {
	return appendLine(append(dst, '-'), strings.Trim(text, "\r\n"))
}

// AppendInt appends an integer, ":1".
func AppendInt(dst []byte, n int64) []byte {
	return appendHeader(dst, ':', n)
}

// AppendBulk appends a bulk string. A nil s is an empty one, not null.
func AppendBulk(dst, s []byte) []byte {
	dst = appendHeader(dst, '$', int64(len(s)))
	dst = append(dst, s...)
	return append(dst, '\r', '\n')
}

// AppendBulkString appends a bulk string.
func AppendBulkString(dst []byte, s string) []byte {
	dst = appendHeader(dst, '$', int64(len(s)))
	dst = append(dst, s...)
	return append(dst, '\r', '\n')
}

// AppendNull appends what stands for a missing value: the null bulk string
// "$-1" in RESP2, "_" in RESP3.
func AppendNull(dst []byte, p Proto) []byte {
	if p < RESP3 {
		return append(dst, "$-1\r\n"...)
	}
	return append(dst, "_\r\n"...)
}

// AppendNullArray appends what stands for a missing array: "*-1" in RESP2, "_"
// in RESP3.
func AppendNullArray(dst []byte, p Proto) []byte {
	if p < RESP3 {
		return append(dst, "*-1\r\n"...)
	}
	return append(dst, "_\r\n"...)
}

// AppendArrayHeader appends the header of an array; n elements must follow.
func AppendArrayHeader(dst []byte, n int) []byte {
	return appendHeader(dst, '*', int64(n))
}

// AppendMapHeader appends the header of a map; pairs times a key and a value
// must follow. In RESP2 a map is an array of 2*pairs elements.
func AppendMapHeader(dst []byte, p Proto, pairs int) []byte {
	if p < RESP3 {
		return appendHeader(dst, '*', 2*int64(pairs))
	}
	return appendHeader(dst, '%', int64(pairs))
}

// AppendSetHeader appends the header of a set; n elements must follow. In RESP2
// a set is an array.
func AppendSetHeader(dst []byte, p Proto, n int) []byte {
	if p < RESP3 {
		return appendHeader(dst, '*', int64(n))
	}
	return appendHeader(dst, '~', int64(n))
}

// AppendPushHeader appends the header of an out-of-band message; n elements
// must follow. In RESP2 it is an array.
func AppendPushHeader(dst []byte, p Proto, n int) []byte {
	if p < RESP3 {
		return appendHeader(dst, '*', int64(n))
	}
	return appendHeader(dst, '>', int64(n))
}

// AppendDouble appends a floating point number, in RESP2 as a bulk string. The
// digits are the fewest that read back as f, as Redis writes them since 7.2.
func AppendDouble(dst []byte, p Proto, f float64) []byte {
	var digits [32]byte
	text := appendFloat(digits[:0], f)
	if p < RESP3 {
		return AppendBulk(dst, text)
	}
	dst = append(append(dst, ','), text...)
	return append(dst, '\r', '\n')
}

// AppendBool appends a boolean, ":1" or ":0" in RESP2.
func AppendBool(dst []byte, p Proto, b bool) []byte {
	text := "#f\r\n"
	switch {
	case p < RESP3 && b:
		text = ":1\r\n"
	case p < RESP3:
		text = ":0\r\n"
	case b:
		text = "#t\r\n"
	}
	return append(dst, text...)
}

// AppendVerbatim appends a verbatim string of a format of three letters, "txt"
// or "mkd"; in RESP2 a bulk string without the format.
func AppendVerbatim(dst []byte, p Proto, format, s string) []byte {
	if p < RESP3 {
		return AppendBulkString(dst, s)
	}
	dst = appendHeader(dst, '=', int64(len(format)+1+len(s)))
	dst = append(dst, format...)
	dst = append(dst, ':')
	dst = append(dst, s...)
	return append(dst, '\r', '\n')
}

// AppendBigNumber appends a whole number given by its decimal digits, in RESP2
// as a bulk string.
func AppendBigNumber(dst []byte, p Proto, digits string) []byte {
	if p < RESP3 {
		return AppendBulkString(dst, digits)
	}
	return appendLine(append(dst, '('), digits)
}

// AppendCommand appends a command: an array of bulk strings.
func AppendCommand(dst []byte, args ...string) []byte {
	dst = AppendArrayHeader(dst, len(args))
	for _, arg := range args {
		dst = AppendBulkString(dst, arg)
	}
	return dst
}

// AppendCommandBytes appends a command: an array of bulk strings.
func AppendCommandBytes(dst []byte, args [][]byte) []byte {
	dst = AppendArrayHeader(dst, len(args))
	for _, arg := range args {
		dst = AppendBulk(dst, arg)
	}
	return dst
}

// appendHeader appends a type byte, a number and CRLF.
func appendHeader(dst []byte, kind byte, n int64) []byte {
	if 0 <= n && n < 10 {
		return append(dst, kind, '0'+byte(n), '\r', '\n')
	}
	dst = strconv.AppendInt(append(dst, kind), n, 10)
	return append(dst, '\r', '\n')
}

// appendLine appends s and CRLF, with spaces for any CR and LF in s, which
// would end the line early and put all that follows out of step.
func appendLine(dst []byte, s string) []byte {
	from := len(dst)
	dst = append(dst, s...)
	for i := from; i < len(dst); i++ {
		if dst[i] == '\r' || dst[i] == '\n' {
			dst[i] = ' '
		}
	}
	return append(dst, '\r', '\n')
}

// appendFloat appends f the way C's "%.17g" lays a number out.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	}
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e17) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}
