package dispatcher

import (
	"strings"
	"testing"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/internal/netio"
)

// merged returns what a split request answers whose parts got these replies; part i has key i, or the keys in keys[i].
func merged(t *testing.T, name string, replies []string, keys ...[]int32) string {
	t.Helper()
	row, err := command.Builtin().Lookup([][]byte{[]byte(name), nil, nil, nil, nil})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{wake: make(chan struct{}, 1)}
	s.changed.L = &s.mu
	p := &Pipeline{d: &Dispatcher{}, sink: s, wakeAt: -1}
	r := p.newRequestLocked(row)
	r.divide()
	for i := range replies {
		pt := newPart(r)
		pt.slot = uint16(100 + i)
		pt.keys = append(pt.keys, int32(i))
		if keys != nil {
			pt.keys = append(pt.keys[:0], keys[i]...)
		}
		r.keys += len(pt.keys)
		r.parts = append(r.parts, pt)
	}
	p.pushLocked(r)
	r.left = len(r.parts)
	for i, pt := range append([]*part(nil), r.parts...) {
		p.finishPartLocked(pt, []byte(replies[i]), nil)
	}
	if p.lenLocked() != 0 {
		t.Error("the request is still there")
	}
	return string(s.gathered)
}

func TestMerge(t *testing.T) {
	const oom, gone = "-OOM no memory\r\n", "-UNKNOWNRESULT connection to a:1 lost\r\n"
	for _, tc := range []struct {
		name, command string
		replies       []string
		keys          [][]int32
		want          string
	}{
		{"sum", "del", []string{":1\r\n", ":0\r\n", ":41\r\n"}, nil, ":42\r\n"},
		{"sum of one", "exists", []string{":3\r\n"}, nil, ":3\r\n"},
		{"large sum", "touch", []string{":9223372036854775806\r\n", ":1\r\n"}, nil, ":9223372036854775807\r\n"},
		{"not a number", "del", []string{":1\r\n", ":x\r\n"}, nil, `-ERR cannot merge replies of 'del' that begin with ":"` + "\r\n"},
		{"all succeeded", "mset", []string{"+OK\r\n", "+OK\r\n"}, nil, "+OK\r\n"},
		{
			"by key", "mget", []string{"*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n$0\r\n\r\n", "*2\r\n_\r\n$2\r\n\r\n\r\n"},
			[][]int32{{0, 4}, {1}, {2, 3}}, "*5\r\n$1\r\na\r\n$0\r\n\r\n_\r\n$2\r\n\r\n\r\n$-1\r\n",
		},
		{"nested", "mget", []string{"*1\r\n*2\r\n:1\r\n:2\r\n", "*1\r\n%1\r\n+a\r\n+b\r\n"}, nil, "*2\r\n*2\r\n:1\r\n:2\r\n%1\r\n+a\r\n+b\r\n"},
		{"too many elements", "mget", []string{"*2\r\n:1\r\n:2\r\n", "*1\r\n:1\r\n"}, nil, `-ERR cannot merge replies of 'mget' that begin with "*"` + "\r\n"},
		{"no array", "mget", []string{"*1\r\n:1\r\n", "+OK\r\n"}, nil, `-ERR cannot merge replies of 'mget' that begin with "+"` + "\r\n"},
		{"a null array", "mget", []string{"*1\r\n:1\r\n", "*-1\r\n"}, nil, `-ERR cannot merge replies of 'mget' that begin with "*"` + "\r\n"},
		{"a read fails", "mget", []string{"*1\r\n:1\r\n", oom, gone}, nil, gone},
		{"a write fails", "mset", []string{"+OK\r\n", oom}, [][]int32{{0}, {1, 2}}, "-OOM 2 of 3 keys failed, in slots 101: no memory\r\n"},
		{"all writes fail alike", "mset", []string{oom, oom}, nil, oom},
		{"all fail for different reasons", "del", []string{oom, "-NOPERM no\r\n"}, nil, "-OOM 2 of 2 keys failed, in slots 100,101: no memory\r\n"},
		{"the unknown first", "del", []string{oom, gone, ":1\r\n"}, nil, "-UNKNOWNRESULT 2 of 3 keys failed, in slots 100,101: connection to a:1 lost\r\n"},
		{"the unknown last", "del", []string{oom, gone}, nil, "-UNKNOWNRESULT 2 of 2 keys failed, in slots 100,101: connection to a:1 lost\r\n"},
		{"an error of one word", "mset", []string{"-OOPS\r\n", "+OK\r\n"}, nil, "-OOPS 1 of 2 keys failed, in slots 100: \r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := merged(t, tc.command, tc.replies, tc.keys...); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestMergeNamesSomeSlots checks that an error's length has a bound.
func TestMergeNamesSomeSlots(t *testing.T) {
	var replies []string
	for range 30 {
		replies = append(replies, "-OOM no memory\r\n")
	}
	got := merged(t, "del", append(replies, ":1\r\n"))
	if want := "OOM 30 of 31 keys failed, in slots 100,101,"; !strings.HasPrefix(got, "-"+want) || !strings.Contains(got, ",119 and 10 more: no memory") {
		t.Errorf("%q", got)
	}
}

// TestMergeOutOfTurn has a split request finish before an older one, with a large element that is passed on by reference.
func TestMergeOutOfTurn(t *testing.T) {
	row, err := command.Builtin().Lookup([][]byte{[]byte("mget"), nil, nil})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{wake: make(chan struct{}, 1)}
	p := &Pipeline{d: &Dispatcher{}, sink: s, wakeAt: -1}
	older := p.newRequestLocked(row)
	p.pushLocked(older)
	r := p.newRequestLocked(row)
	r.divide()
	for i := range 2 {
		pt := newPart(r)
		pt.keys = append(pt.keys, int32(1-i))
		r.parts = append(r.parts, pt)
	}
	r.keys, r.left = 2, 2
	p.pushLocked(r)
	small, large := "*1\r\n$1\r\na\r\n", "*1\r\n$9000\r\n"+strings.Repeat("x", 9000)+"\r\n"
	chunk := netio.NewChunk(len(large))
	n := copy(chunk.B, large)
	p.finishPartLocked(r.parts[0], chunk.B[:n:n], chunk)
	if !chunk.Shared() {
		t.Error("a large reply was copied")
	}
	p.finishPartLocked(r.parts[1], []byte(small), nil)
	if len(s.gathered) > 0 {
		t.Errorf("%q came before its turn", s.gathered)
	}
	p.finishPartLocked(&older.one, []byte("+first\r\n"), nil)
	if want := "+first\r\n*2\r\n" + small[4:] + large[4:]; string(s.gathered) != want {
		t.Errorf("%.100q", s.gathered)
	}
	if chunk.Shared() {
		t.Error("the large reply's chunk was not released")
	}
	chunk.Release()
}
