package resp

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestLimitsChangeBetweenCommands(t *testing.T) {
	p := CommandParser{Limits: UnauthenticatedLimits()}
	auth := AppendCommand(nil, "AUTH", "secret")
	many := AppendCommand(nil, strings.Fields("MGET 1 2 3 4 5 6 7 8 9 10")...)
	buf := append(bytes.Clone(auth), many...)
	cmd, n, err := p.Next(buf)
	if err != nil || n != len(auth) {
		t.Fatalf("Next = %q, %d, %v", cmd.Args, n, err)
	}
	p.Limits = Limits{}
	if cmd, n, err = p.Next(buf[n:]); err != nil || n != len(many) || len(cmd.Args) != 11 {
		t.Fatalf("Next = %q, %d, %v", cmd.Args, n, err)
	}
	ten := AppendCommand(nil, strings.Fields("MGET 1 2 3 4 5 6 7 8 9")...)
	p.Limits = UnauthenticatedLimits()
	if cmd, _, err = p.Next(ten); err != nil || len(cmd.Args) != 10 {
		t.Fatalf("Next = %q, %v", cmd.Args, err)
	}
	if _, _, err = p.Next(many); !errors.Is(err, errCountNoAuth) {
		t.Fatalf("Next = %v, want %v", err, errCountNoAuth)
	}
}

// A header costs nothing before its arguments arrive, and many arguments leave
// nothing behind.
func TestAnnouncedArgumentsReserveNothing(t *testing.T) {
	head := []byte("*1000000\r\n$4\r\nMGET\r\n$1\r\nk\r\n")
	if allocs := testing.AllocsPerRun(100, func() {
		var p CommandParser
		if _, n, err := p.Next(head); n != 0 || err != nil {
			t.Fatalf("Next = %d, %v", n, err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for an incomplete command", allocs)
	}

	var p CommandParser
	many := AppendCommand(nil, make([]string, 100000)...)
	if cmd, n, err := p.Next(many); n != len(many) || err != nil || len(cmd.Args) != 100000 {
		t.Fatalf("Next = %d args, %d, %v", len(cmd.Args), n, err)
	}
	if _, n, err := p.Next(nil); n != 0 || err != nil || cap(p.args) > retainArgs {
		t.Errorf("%d slots of argument storage left behind", cap(p.args))
	}
}

// A million arguments byte by byte: done in a moment if the work is linear, in
// days if it is not.
func TestMillionArgumentsByteByByte(t *testing.T) {
	const count = 1_000_000
	stream := []byte("*" + strconv.Itoa(count) + "\r\n")
	for i := range count {
		stream = AppendBulk(stream, strconv.AppendInt(nil, int64(i%10), 10))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var p CommandParser
	for i := range stream {
		if _, n, err := p.Next(stream[:i]); n != 0 || err != nil {
			t.Fatalf("Next of %d bytes = %d, %v", i, n, err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes allocated before the command was complete", grown)
	}
	cmd, n, err := p.Next(stream)
	if err != nil || n != len(stream) || len(cmd.Args) != count || string(cmd.Args[count-1]) != "9" {
		t.Fatalf("Next = %d arguments, %d, %v", len(cmd.Args), n, err)
	}
}

func TestLongLinesByteByByte(t *testing.T) {
	for _, start := range []string{"*", "*1\r\n$", "ECHO \x00", "x"} {
		stream := []byte(start + strings.Repeat("1", MaxInlineBytes+16))
		var p CommandParser
		var err error
		for i := 0; err == nil; i++ {
			if i > len(stream) {
				t.Fatalf("%q: no error", start)
			}
			_, _, err = p.Next(stream[:i])
		}
		if !strings.Contains(err.Error(), "too big") {
			t.Errorf("%q: got %v", start, err)
		}
	}
}
