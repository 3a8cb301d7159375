package resp

import (
	"bytes"
	"strconv"
	"testing"
)

var (
	setCommand  = AppendCommand(nil, "SET", "key:000000012345", "xxx")
	mgetCommand = func() []byte {
		args := []string{"MGET"}
		for i := range 100 {
			args = append(args, "key:"+strconv.Itoa(i))
		}
		return AppendCommand(nil, args...)
	}()
	cutAt = 30 // inside setCommand's key
)

// TestHotPathDoesNotAllocate holds what the benchmarks below report.
func TestHotPathDoesNotAllocate(t *testing.T) {
	var p CommandParser
	var s ReplyScanner
	reply := []byte("*2\r\n$3\r\nabc\r\n%1\r\n:1\r\n|1\r\n+a\r\n_\r\n,1.5\r\n")
	inline, empty, bulk := []byte("ECHO \"a b\" c\r\n"), []byte("*0\r\n"), []byte("$3\r\nabc\r\n")
	dst := make([]byte, 0, 4096)
	args := [][]byte{[]byte("GET"), []byte("key")}
	for name, f := range map[string]func() bool{
		"SET":  func() bool { _, n, err := p.Next(setCommand); return n == len(setCommand) && err == nil },
		"MGET": func() bool { _, n, err := p.Next(mgetCommand); return n == len(mgetCommand) && err == nil },
		"SET in two parts": func() bool {
			_, n, _ := p.Next(setCommand[:cutAt])
			_, m, err := p.Next(setCommand)
			return n == 0 && m == len(setCommand) && err == nil
		},
		"inline":       func() bool { _, n, err := p.Next(inline); return n == len(inline) && err == nil },
		"empty array":  func() bool { _, n, err := p.Next(empty); return n == len(empty) && err == nil },
		"bulk reply":   func() bool { n, err := s.Next(bulk); return n == len(bulk) && err == nil },
		"nested reply": func() bool { n, err := s.Next(reply); return n == len(reply) && err == nil },
		"append": func() bool {
			b := AppendCommandBytes(AppendDouble(AppendError(AppendInt(dst, 123456), "ERR x"), RESP3, 0.1), args)
			return &b[0] == &dst[:1][0]
		},
	} {
		f() // the first call makes the storage
		if allocs := testing.AllocsPerRun(100, func() {
			if !f() {
				t.Errorf("%s: wrong result", name)
			}
		}); allocs != 0 {
			t.Errorf("%s: %v allocations per run, want 0", name, allocs)
		}
	}
}

func benchmarkCommand(b *testing.B, stream []byte, parts ...int) {
	var p CommandParser
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		for _, cut := range parts {
			if _, n, err := p.Next(stream[:cut]); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
		if _, n, err := p.Next(stream); n != len(stream) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkCommandSet(b *testing.B)           { benchmarkCommand(b, setCommand) }
func BenchmarkCommandSetInTwoParts(b *testing.B) { benchmarkCommand(b, setCommand, cutAt) }
func BenchmarkCommandMget100(b *testing.B)       { benchmarkCommand(b, mgetCommand) }
func BenchmarkCommandInlinePing(b *testing.B)    { benchmarkCommand(b, []byte("PING\r\n")) }
func BenchmarkCommandSet16K(b *testing.B) {
	benchmarkCommand(b, AppendCommand(nil, "SET", "key", string(make([]byte, 16384))))
}

func BenchmarkCommandPipeline16(b *testing.B) {
	stream := bytes.Repeat(setCommand, 16)
	var p CommandParser
	b.ReportAllocs()
	for b.Loop() {
		for buf := stream; len(buf) > 0; {
			_, n, err := p.Next(buf)
			if n == 0 || err != nil {
				b.Fatal(n, err)
			}
			buf = buf[n:]
		}
	}
}

func benchmarkReply(b *testing.B, reply string) {
	var s ReplyScanner
	buf := []byte(reply)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := s.Next(buf); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkReplyOK(b *testing.B)      { benchmarkReply(b, "+OK\r\n") }
func BenchmarkReplyBulk3(b *testing.B)   { benchmarkReply(b, "$3\r\nabc\r\n") }
func BenchmarkReplyNil(b *testing.B)     { benchmarkReply(b, "$-1\r\n") }
func BenchmarkReplyInt(b *testing.B)     { benchmarkReply(b, ":1234\r\n") }
func BenchmarkReplyArray10(b *testing.B) { benchmarkReply(b, "*10\r\n"+tenBulks) }

const tenBulks = "$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n" +
	"$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n$3\r\nabc\r\n"

func BenchmarkAppendCommandBytes(b *testing.B) {
	args := [][]byte{[]byte("SET"), []byte("key:000000012345"), []byte("xxx")}
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendCommandBytes(dst[:0], args)
	}
}

func BenchmarkAppendError(b *testing.B) {
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendError(dst[:0], "MOVED 12345 127.0.0.1:7001")
	}
}
