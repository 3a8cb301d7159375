package resp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// parsed is a command as a test keeps it: copies of everything.
type parsed struct {
	args   []string
	raw    string
	inline bool
}

func (c parsed) String() string { return fmt.Sprintf("%.100q inline=%v", c.args, c.inline) }

func sameCommands(a, b []parsed) bool {
	return slices.EqualFunc(a, b, func(a, b parsed) bool {
		return slices.Equal(a.args, b.args) && a.raw == b.raw && a.inline == b.inline
	})
}

// sameError compares by text: some errors are made where they occur.
func sameError(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// parseStream runs the caller's loop over stream, which arrives in chunks of
// the given sizes, the last size repeated. Each call sees the bytes at a new
// address, and the old ones overwritten, as a session's buffer may do.
func parseStream(t testing.TB, p *CommandParser, stream []byte, sizes ...int) (cmds []parsed, rest int, err error) {
	t.Helper()
	arrived, consumed := 0, 0
	for {
		buf := bytes.Clone(stream[consumed:arrived])
		cmd, n, err := p.Next(buf)
		if n < 0 || n > len(buf) {
			t.Fatalf("Next of %d bytes consumed %d", len(buf), n)
		}
		if err != nil {
			if n != 0 || cmd.Args != nil || cmd.Raw != nil {
				t.Fatalf("Next returned %d, %q along with the error %v", n, cmd.Args, err)
			}
			return cmds, arrived - consumed, err
		}
		if n > 0 {
			if !bytes.Equal(cmd.Raw, buf[:n]) {
				t.Fatalf("Raw = %q, want %q", cmd.Raw, buf[:n])
			}
			got := parsed{raw: string(cmd.Raw), inline: cmd.Inline}
			for _, arg := range cmd.Args {
				got.args = append(got.args, string(arg))
			}
			cmds = append(cmds, got)
			consumed += n
			clear(buf)
			continue
		}
		if p.Need() <= len(buf) {
			t.Fatalf("Need = %d after an incomplete call with %d bytes", p.Need(), len(buf))
		}
		if arrived == len(stream) {
			return cmds, arrived - consumed, nil
		}
		size := sizes[0]
		if len(sizes) > 1 {
			sizes = sizes[1:]
		}
		arrived = min(arrived+max(size, 1), len(stream))
		for i := range buf {
			buf[i] = 0xAA
		}
	}
}

// parseBothWays parses stream whole and byte by byte and requires the same.
func parseBothWays(t *testing.T, limits Limits, stream string) (cmds []parsed, rest int, err error) {
	t.Helper()
	whole := &CommandParser{Limits: limits}
	cmds, rest, err = parseStream(t, whole, []byte(stream), len(stream))
	step := 1
	if len(stream) > 4096 {
		step = 101 // parseStream copies the buffer at each step
	}
	slow := &CommandParser{Limits: limits}
	cmds2, rest2, err2 := parseStream(t, slow, []byte(stream), step)
	if !sameCommands(cmds, cmds2) || !sameError(err, err2) || err == nil && rest != rest2 {
		t.Fatalf("whole: %v, rest %d, %v\nin steps: %v, rest %d, %v", cmds, rest, err, cmds2, rest2, err2)
	}
	return cmds, rest, err
}

func TestCommands(t *testing.T) {
	long := strings.Repeat("v", 70000)
	tests := []struct {
		name   string
		stream string
		want   [][]string // nil elements are commands to be skipped
		rest   int
	}{
		{"one", "*1\r\n$4\r\nPING\r\n", [][]string{{"PING"}}, 0},
		{"set", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n", [][]string{{"SET", "k", "value"}}, 0},
		{"empty arguments", "*2\r\n$0\r\n\r\n$0\r\n\r\n", [][]string{{"", ""}}, 0},
		{"binary", "*2\r\n$4\r\nECHO\r\n$6\r\n\r\n\x00$1\r\r\n", [][]string{{"ECHO", "\r\n\x00$1\r"}}, 0},
		{"long", "*2\r\n$4\r\nECHO\r\n$70000\r\n" + long + "\r\n", [][]string{{"ECHO", long}}, 0},
		{"pipeline", "*1\r\n$4\r\nPING\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\n",
			[][]string{{"PING"}, {"PING"}, {"ECHO", "a"}}, 0},
		{"empty array", "*0\r\n*1\r\n$4\r\nPING\r\n", [][]string{nil, {"PING"}}, 0},
		{"null array", "*-1\r\n*1\r\n$4\r\nPING\r\n", [][]string{nil, {"PING"}}, 0},
		{"negative length", "*-99999999999\r\nPING\r\n", [][]string{nil, {"PING"}}, 0},
		{"least length", "*-9223372036854775808\r\nPING\r\n", [][]string{nil, {"PING"}}, 0},
		{"incomplete header", "*1\r\n$4\r\nPING\r\n*1\r", [][]string{{"PING"}}, 3},
		{"incomplete bulk header", "*1\r\n$4\r", nil, 7},
		{"incomplete bulk", "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r", nil, 22},
		{"a wrong byte shows only with the line", "*1\r\nx4", nil, 6},
		{"most arguments", "*2147483647\r\n", nil, 13},
		{"longest argument", "*1\r\n$536870912\r\n", nil, 16},
		{"LF alone does not end a header", "*1\nPING\n", nil, 8},
		{"NUL hides the end of the line", "*\x001\r\n$4\r\nPING\r\n", nil, 15},
		{"NUL hides the end of a bulk header", "*1\r\n\x00\r\n", nil, 7},
		{"longest header without an end", "*" + strings.Repeat("1", MaxInlineBytes-1), nil, MaxInlineBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmds, rest, err := parseBothWays(t, Limits{}, tt.stream)
			if err != nil {
				t.Fatal(err)
			}
			var got [][]string
			for _, cmd := range cmds {
				got = append(got, cmd.args)
			}
			if !slices.EqualFunc(got, tt.want, slices.Equal) || rest != tt.rest {
				t.Errorf("got %.200q, rest %d; want %.200q, rest %d", got, rest, tt.want, tt.rest)
			}
		})
	}
}

// The texts were compared with those of a Redis 7.0.
func TestProtocolErrors(t *testing.T) {
	noAuth := UnauthenticatedLimits()
	tests := []struct {
		limits Limits
		stream string
		want   string // after "Protocol error: "
	}{
		{Limits{}, "*x\r\n", "invalid multibulk length"},
		{Limits{}, "*\r\n", "invalid multibulk length"},
		{Limits{}, "*+1\r\n", "invalid multibulk length"},
		{Limits{}, "* 1\r\n", "invalid multibulk length"},
		{Limits{}, "*01\r\n", "invalid multibulk length"},
		{Limits{}, "*-0\r\n", "invalid multibulk length"},
		{Limits{}, "*00\r\n", "invalid multibulk length"},
		{Limits{}, "*2147483648\r\n", "invalid multibulk length"},
		{Limits{}, "*9999999999999999999\r\n", "invalid multibulk length"},
		{Limits{}, "*99999999999999999999999\r\n", "invalid multibulk length"},
		{Limits{}, "*-9223372036854775809\r\n", "invalid multibulk length"},
		{Limits{}, "*1\n$4\r\nPING\r\n", "invalid multibulk length"},
		{Limits{}, "*1\r\n$4\nPING\r\n", "invalid bulk length"},
		{Limits{}, "*1\r\n$-1\r\n", "invalid bulk length"},
		{Limits{}, "*1\r\n$x\r\n", "invalid bulk length"},
		{Limits{}, "*1\r\n$\r\n", "invalid bulk length"},
		{Limits{}, "*1\r\n$04\r\n", "invalid bulk length"},
		{Limits{}, "*1\r\n$536870913\r\n", "invalid bulk length"},
		{Limits{}, "*2\r\n$4\r\nECHO\r\n$9223372036854775807\r\n", "invalid bulk length"},
		{Limits{}, "*1\r\nx4\r\nPING\r\n", "expected '$', got 'x'"},
		{Limits{}, "*1\r\n\xff\r\n", "expected '$', got '\xff'"},
		{Limits{}, "*1\r\n\r\n", "expected '$', got ' '"},
		{Limits{}, "*1\r\n\n\r\n", "expected '$', got ' '"},
		{Limits{}, "*2\r\n$4\r\nECHO\r\n*1\r\n", "expected '$', got '*'"},
		{Limits{}, "*" + strings.Repeat("1", MaxInlineBytes-1) + "\r\n", "invalid multibulk length"},
		{Limits{}, "*" + strings.Repeat("1", MaxInlineBytes), "too big mbulk count string"},
		{Limits{}, "*\x00" + strings.Repeat("1", MaxInlineBytes-1), "too big mbulk count string"},
		{Limits{}, "*1\r\n$" + strings.Repeat("1", MaxInlineBytes), "too big bulk count string"},
		{Limits{}, "*1\r\nx" + strings.Repeat("1", MaxInlineBytes), "too big bulk count string"},
		{Limits{}, strings.Repeat("x", MaxInlineBytes+1), "too big inline request"},
		{Limits{}, strings.Repeat("x", MaxInlineBytes+1) + "\r\n", "too big inline request"},
		{Limits{}, "ECHO \x00\n" + strings.Repeat("x", MaxInlineBytes), "too big inline request"},
		{Limits{}, "ECHO \"a\n", "unbalanced quotes in request"},
		{Limits{MaxBulkBytes: 1 << 20}, "*1\r\n$1048577\r\n", "invalid bulk length"},
		{noAuth, "*11\r\n", "unauthenticated multibulk length"},
		{noAuth, "*2147483648\r\n", "invalid multibulk length"},
		{noAuth, "*1\r\n$16385\r\n", "unauthenticated bulk length"},
		{noAuth, "*1\r\n$16385\r\n" + strings.Repeat("x", 16385) + "\r\n", "unauthenticated bulk length"},
		{noAuth, "*1\r\n$536870913\r\n", "invalid bulk length"},
		{noAuth, "*1\r\n$-1\r\n", "invalid bulk length"},
	}
	for _, tt := range tests {
		// A good command before it shows that the state is clean.
		cmds, _, err := parseBothWays(t, tt.limits, "*1\r\n$4\r\nPING\r\n"+tt.stream)
		var perr *ProtocolError
		if !errors.As(err, &perr) || err.Error() != "Protocol error: "+tt.want {
			t.Errorf("%.40q: got %v, want %s", tt.stream, err, tt.want)
		}
		if len(cmds) != 1 {
			t.Errorf("%.40q: got %d commands before the error, want 1", tt.stream, len(cmds))
		}
	}
}

func TestLenientLineEndsMustBeEncodedAnew(t *testing.T) {
	for stream, clean := range map[string]bool{
		"*1\r\n$4\r\nPING\r\n": true,
		"*1\rX$4\r\nPING\r\n":  false,
		"*1\r\n$4\rXPING\r\n":  false,
		"*1\r\n$4\r\nPINGab":   false,
		"*1\r\n$4\r\nPING\n\n": false,
	} {
		cmds, rest, err := parseBothWays(t, Limits{}, stream)
		if err != nil || rest != 0 || len(cmds) != 1 || !slices.Equal(cmds[0].args, []string{"PING"}) {
			t.Errorf("%q: got %v, rest %d, %v", stream, cmds, rest, err)
		} else if cmds[0].inline == clean {
			t.Errorf("%q: Inline = %v", stream, cmds[0].inline)
		}
	}
}

func TestCrossProtocol(t *testing.T) {
	for _, stream := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\n", "post\n", "Host: example.com\r\n", "\"PO\\x53T\" a\n", "\"post\\x00x\"\n",
		"*1\r\n$4\r\nPoSt\r\n", "*2\r\n$5\r\nhOSt:\r\n$1\r\nx\r\n", "*1\r\n$7\r\nhost:\x00x\r\n",
	} {
		if _, _, err := parseBothWays(t, Limits{}, stream); !errors.Is(err, ErrCrossProtocol) {
			t.Errorf("%q: got %v, want ErrCrossProtocol", stream, err)
		}
	}
	for _, stream := range []string{"GET / HTTP/1.1\r\n", "host x\n", "ECHO post\n", "posts\n", "*1\r\n$5\r\nhost!\r\n"} {
		if cmds, _, err := parseBothWays(t, Limits{}, stream); err != nil || len(cmds) != 1 {
			t.Errorf("%q: got %v, %v", stream, cmds, err)
		}
	}
}

func TestNeed(t *testing.T) {
	const bulk = "*2\r\n$4\r\nECHO\r\n$100\r\n"
	for _, tt := range []struct {
		buf  string
		want int
	}{
		{"", 1},
		{"PIN", 4},
		{"*", 2},
		{"*1000000\r\n", 11},
		{"*2\r\n$4\r", 8},
		{"*2\r\n$4\r\nEC", 14},
		{bulk, len(bulk) + 102},
		{bulk + "abc", len(bulk) + 102},
	} {
		var p CommandParser
		if _, n, err := p.Next([]byte(tt.buf)); n != 0 || err != nil {
			t.Fatalf("%q: Next = %d, %v", tt.buf, n, err)
		}
		if p.Need() != tt.want {
			t.Errorf("%q: Need = %d, want %d", tt.buf, p.Need(), tt.want)
		}
	}
}

func TestReset(t *testing.T) {
	p := CommandParser{Limits: UnauthenticatedLimits()}
	for _, part := range []string{"", "PI", "*1", "*3\r\n", "*2\r\n$4\r\nECHO\r\n$9", "*2\r\n$4\r\nECHO\r\n$9\r\nabc"} {
		if _, n, err := p.Next([]byte(part)); n != 0 || err != nil {
			t.Fatalf("%q: Next = %d, %v", part, n, err)
		}
		p.Reset()
		cmd, n, err := p.Next([]byte("*1\r\n$4\r\nPING\r\n"))
		if err != nil || n != 14 || len(cmd.Args) != 1 {
			t.Errorf("after %q and Reset: Next = %q, %d, %v", part, cmd.Args, n, err)
		}
		if p.Limits != UnauthenticatedLimits() {
			t.Errorf("Reset changed Limits to %+v", p.Limits)
		}
	}
}
