package resp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// scanStream runs the caller's loop over stream, arriving step bytes at a
// time, with each call's bytes at a new address.
func scanStream(t testing.TB, stream []byte, step int) (replies []string, rest int, err error) {
	t.Helper()
	var s ReplyScanner
	arrived, consumed := 0, 0
	for {
		buf := bytes.Clone(stream[consumed:arrived])
		n, err := s.Next(buf)
		if n < 0 || n > len(buf) || err != nil && n != 0 {
			t.Fatalf("Next of %d bytes = %d, %v", len(buf), n, err)
		}
		if err != nil {
			return replies, arrived - consumed, err
		}
		if n > 0 {
			replies = append(replies, string(buf[:n]))
			consumed += n
			continue
		}
		if s.Need() <= len(buf) {
			t.Fatalf("Need = %d after an incomplete call with %d bytes", s.Need(), len(buf))
		}
		if arrived == len(stream) {
			return replies, arrived - consumed, nil
		}
		arrived = min(arrived+max(step, 1), len(stream))
	}
}

var wholeReplies = []string{
	"+OK\r\n", "+\r\n", "+PONG\r\n", "+QUEUED\r\n", "+a\rb\nc\r\n", "+\r\r\n",
	"-ERR unknown command\r\n", "-\r\n", ":0\r\n", ":-9223372036854775808\r\n",
	"$0\r\n\r\n", "$-1\r\n", "$3\r\nabc\r\n", "$4\r\n\r\n\r\n\r\n", "$10\r\n0123456789\r\n",
	"$70000\r\n" + strings.Repeat("x", 70000) + "\r\n",
	"*0\r\n", "*-1\r\n", "*1\r\n$-1\r\n", "*2\r\n$3\r\nabc\r\n:1\r\n",
	"*3\r\n*0\r\n*-1\r\n*2\r\n+a\r\n*1\r\n:1\r\n",
	"_\r\n", "#t\r\n", "#f\r\n", ",3.14\r\n", ",-inf\r\n", "(12345678901234567890123\r\n",
	"=7\r\ntxt:abc\r\n", "!5\r\nERR x\r\n",
	"%0\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n_\r\n", "~2\r\n+a\r\n+b\r\n",
	">3\r\n+message\r\n$1\r\nc\r\n$1\r\nm\r\n",
	"|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n", "|0\r\n+OK\r\n", "|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n*1\r\n:3\r\n",
	"*2\r\n|1\r\n+a\r\n:1\r\n:2\r\n:3\r\n", "%1\r\n|1\r\n+x\r\n*2\r\n:1\r\n:2\r\n+k\r\n+v\r\n",
	strings.Repeat("*1\r\n", 5000) + ":1\r\n",
	strings.Repeat("*2\r\n:1\r\n", 500) + "*0\r\n",
}

func TestReplyScanner(t *testing.T) {
	for _, reply := range wholeReplies {
		got, rest, err := scanStream(t, []byte(reply), 1+len(reply)/4000)
		if err != nil || rest != 0 || !slices.Equal(got, []string{reply}) {
			t.Errorf("%.60q in steps: got %.60q, rest %d, %v", reply, got, rest, err)
		}
		for _, tail := range []string{"", "+OK\r\n", "$", "x"} {
			if n, err := ReplyLen([]byte(reply + tail)); n != len(reply) || err != nil {
				t.Errorf("%.60q before %q: got %d, %v; want %d", reply, tail, n, err, len(reply))
			}
		}
		if len(reply) < 100 {
			for i := range reply {
				if n, err := ReplyLen([]byte(reply[:i])); n != 0 || err != nil {
					t.Errorf("%q cut to %d: got %d, %v", reply, i, n, err)
				}
			}
		}
	}
}

// scanParts is scanStream for one reply that is consumed part by part.
func scanParts(t testing.TB, stream []byte, step int) (n int, err error) {
	t.Helper()
	var s ReplyScanner
	arrived, consumed := 0, 0
	for {
		buf := bytes.Clone(stream[consumed:arrived])
		n, whole, err := s.NextParts(buf)
		if n < 0 || n > len(buf) || err != nil && n != 0 {
			t.Fatalf("NextParts of %d bytes = %d, %v", len(buf), n, err)
		}
		consumed += n
		switch {
		case err != nil || whole:
			return consumed, err
		case s.Need() <= len(buf)-n:
			t.Fatalf("Need = %d with %d bytes left", s.Need(), len(buf)-n)
		case arrived == len(stream):
			return 0, nil
		}
		arrived = min(arrived+max(step, 1), len(stream))
	}
}

func TestNextParts(t *testing.T) {
	for _, reply := range wholeReplies {
		for _, step := range []int{1 + len(reply)/4000, len(reply) + 5} {
			if n, err := scanParts(t, []byte(reply+"$1\r\n"), step); n != len(reply) || err != nil {
				t.Errorf("%.60q by %d bytes: got %d, %v; want %d", reply, step, n, err, len(reply))
			}
		}
	}
}

func TestReplyScannerPipeline(t *testing.T) {
	stream := []byte(strings.Join(wholeReplies[:12], "") + strings.Join(wholeReplies[16:36], ""))
	want := slices.Concat(wholeReplies[:12], wholeReplies[16:36])
	for _, step := range []int{1, 2, 3, 5, 7, 64, len(stream)} {
		got, rest, err := scanStream(t, stream, step)
		if err != nil || rest != 0 || !slices.Equal(got, want) {
			t.Errorf("step %d: got %q, rest %d, %v", step, got, rest, err)
		}
	}
}

func TestReplyErrors(t *testing.T) {
	for _, reply := range []string{
		"x\r\n", "\r\n", "OK\r\n", "\x00", "$x\r\n", "$-2\r\n", "$+1\r\n", "$01\r\n", "$\r\n", "$1\nabc", "$1\rxabc\r\n", "$?\r\n",
		"$3\r\nabcd\r\n", "$3\r\nabc\rx", "$0\r\nxx", "*x\r\n", "*-2\r\n", "%-1\r\n", "~-1\r\n", ">-1\r\n", "|-1\r\n", "=-1\r\n", "!-1\r\n",
		"*99999999999999\r\n", "$9223372036854775807\r\n", "$11111111111111111", "*1\r\nx", "*2\r\n:1\r\n$1\r\nabc", "%1\r\n:1\r\n;",
	} {
		got, _, err := scanStream(t, []byte(reply), len(reply))
		slow, _, errSlow := scanStream(t, []byte(reply), 1)
		var perr *ProtocolError
		if !errors.As(err, &perr) || !sameError(err, errSlow) || len(got)+len(slow) > 0 {
			t.Errorf("%q: got %q, %v; byte by byte %q, %v", reply, got, err, slow, errSlow)
		}
	}
}

func TestReplyNeed(t *testing.T) {
	for _, tt := range []struct {
		buf  string
		want int
	}{
		{"", 1}, {"+OK", 4}, {"$", 2}, {"$10\r", 5}, {"$10\r\n", 17}, {"$10\r\nabc", 17}, {"*2\r\n", 5}, {"*2\r\n$10\r\nabc", 21},
	} {
		var s ReplyScanner
		if n, err := s.Next([]byte(tt.buf)); n != 0 || err != nil {
			t.Fatalf("%q: Next = %d, %v", tt.buf, n, err)
		}
		if s.Need() != tt.want {
			t.Errorf("%q: Need = %d, want %d", tt.buf, s.Need(), tt.want)
		}
		s.Reset()
		if n, err := s.Next([]byte(":1\r\n")); n != 4 || err != nil {
			t.Errorf("after %q and Reset: Next = %d, %v", tt.buf, n, err)
		}
	}
}

func TestHeader(t *testing.T) {
	for _, tt := range []struct {
		reply       string
		kind        byte
		elements, n int
		ok          bool
	}{
		{"*0\r\n", '*', 0, 4, true},
		{"*2\r\n:1\r\n:2\r\n", '*', 2, 4, true},
		{"*1234567890\r\n", '*', 1234567890, 13, true},
		{"%3\r\n", '%', 6, 4, true},
		{"~12\r\n", '~', 12, 5, true},
		{">3\r\n", '>', 3, 4, true},
		{"*-1\r\n", 0, 0, 0, false},
		{"*x\r\n", 0, 0, 0, false},
		{"*1\r", 0, 0, 0, false},
		{"$1\r\na\r\n", 0, 0, 0, false},
		{"|1\r\n", 0, 0, 0, false},
		{"", 0, 0, 0, false},
	} {
		kind, elements, n, ok := Header([]byte(tt.reply))
		if kind != tt.kind || elements != tt.elements || n != tt.n || ok != tt.ok {
			t.Errorf("Header(%q) = %q, %d, %d, %v; want %q, %d, %d, %v",
				tt.reply, kind, elements, n, ok, tt.kind, tt.elements, tt.n, tt.ok)
		}
	}
}

// Depth costs the scanner nothing; a recursive one would be out of stack.
func TestReplyOfAnyDepth(t *testing.T) {
	const depth = 1 << 20
	reply := append(bytes.Repeat([]byte("*1\r\n"), depth), ":1\r\n"...)
	if allocs := testing.AllocsPerRun(1, func() {
		if n, err := ReplyLen(reply); n != len(reply) || err != nil {
			t.Fatalf("ReplyLen = %d, %v", n, err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if _, _, err := ReadValue(reply); !errors.Is(err, errReplyDepth) {
		t.Errorf("ReadValue: got %v, want %v", err, errReplyDepth)
	}
}
