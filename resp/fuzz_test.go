package resp

import (
	"slices"
	"testing"
)

// chunks makes sizes of chunks from fuzzed bytes.
func chunks(cuts []byte) []int {
	sizes := []int{}
	for _, c := range cuts {
		sizes = append(sizes, int(c)+1)
	}
	return append(sizes, 1)
}

// FuzzCommandParser checks that chunking never changes the result, and that
// what was parsed, encoded anew, parses to the same.
func FuzzCommandParser(f *testing.F) {
	for _, stream := range []string{
		"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*1\r\n$4\r\nPING\r\n",
		"*0\r\n*-1\r\n\r\nPING\r\n", "*1\rX$4\rYPINGab", "*1000000\r\n$1\r\na\r\n", "*11\r\n", "*1\r\n$16385\r\n", "*1\r\n$-1\r\n", "*1\r\nx\r\n",
		"ECHO \"a\\x41\\n\" 'b\\'c' d\"e\"\n", "ECHO \"a\"b\n", "ECHO \x00\n", "POST / HTTP/1.1\r\n", "*1\r\n$4\r\nPOST\r\n", "*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n",
		"*12\r\n$10\r\n0123456789\r\n",
	} {
		f.Add([]byte(stream), []byte{0, 3, 1}, false)
		f.Add([]byte(stream), []byte{}, true)
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte, noAuth bool) {
		if len(stream) > 1<<12 {
			t.Skip("copying the stream for every chunk takes too long")
		}
		var limits Limits
		if noAuth {
			limits = UnauthenticatedLimits()
		}
		whole, rest, err := parseStream(t, &CommandParser{Limits: limits}, stream, len(stream))
		parts, rest2, err2 := parseStream(t, &CommandParser{Limits: limits}, stream, chunks(cuts)...)
		if !sameCommands(whole, parts) || !sameError(err, err2) || err == nil && rest != rest2 {
			t.Fatalf("whole: %v, rest %d, %v\nin chunks: %v, rest %d, %v", whole, rest, err, parts, rest2, err2)
		}

		var encoded []byte
		var commands [][]string
		for _, cmd := range whole {
			if len(cmd.args) > 0 {
				encoded = AppendCommand(encoded, cmd.args...)
				commands = append(commands, cmd.args)
			}
		}
		again, rest, err := parseStream(t, &CommandParser{}, encoded, len(encoded))
		if err != nil || rest != 0 || len(again) != len(commands) {
			t.Fatalf("%q encoded anew: %v, rest %d, %v", commands, again, rest, err)
		}
		for i, cmd := range again {
			if cmd.inline || !slices.Equal(cmd.args, commands[i]) {
				t.Fatalf("encoded anew: %v, want %q", cmd, commands[i])
			}
		}
		for _, cmd := range whole {
			if len(cmd.args) > 0 && !cmd.inline && string(AppendCommand(nil, cmd.args...)) != cmd.raw {
				t.Fatalf("%q is called clean, but is not how %q is encoded", cmd.raw, cmd.args)
			}
		}
	})
}

// FuzzReplyScanner checks that chunking never changes the result, and that
// Header and ReadValue agree with the scanner.
func FuzzReplyScanner(f *testing.F) {
	for _, reply := range wholeReplies {
		if len(reply) < 100 {
			f.Add([]byte(reply), 1)
			f.Add([]byte(reply+reply[:len(reply)-1]), 3)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		if len(stream) > 1<<12 {
			t.Skip("copying the stream for every chunk takes too long")
		}
		whole, rest, err := scanStream(t, stream, len(stream))
		parts, rest2, err2 := scanStream(t, stream, step)
		if !slices.Equal(whole, parts) || !sameError(err, err2) || err == nil && rest != rest2 {
			t.Fatalf("whole: %q, rest %d, %v\nin chunks: %q, rest %d, %v", whole, rest, err, parts, rest2, err2)
		}
		first := 0
		if len(whole) > 0 {
			first = len(whole[0])
		}
		if n, partErr := scanParts(t, stream, step); n != first && partErr == nil || first > 0 && partErr != nil {
			t.Fatalf("by parts: %d, %v; the first reply is %d bytes long", n, partErr, first)
		}
		for _, reply := range whole {
			if n, err := ReplyLen([]byte(reply)); n != len(reply) || err != nil {
				t.Fatalf("ReplyLen(%q) = %d, %v", reply, n, err)
			}
			if kind, elements, n, ok := Header([]byte(reply)); ok {
				for range elements {
					size, err := ReplyLen([]byte(reply[n:]))
					if size == 0 || err != nil {
						t.Fatalf("%q: Header = %q, %d, but the element at %d is %d, %v", reply, kind, elements, n, size, err)
					}
					n += size
				}
				if n != len(reply) {
					t.Fatalf("%q: %d elements end at %d of %d", reply, elements, n, len(reply))
				}
			}
		}
	})
}

// FuzzReadValue checks that a decoded reply is as long as ReplyLen says.
func FuzzReadValue(f *testing.F) {
	for _, reply := range wholeReplies {
		if len(reply) < 100 {
			f.Add([]byte(reply))
		}
	}
	f.Fuzz(func(t *testing.T, buf []byte) {
		v, n, err := ReadValue(buf)
		size, sizeErr := ReplyLen(buf)
		switch {
		case err == nil && (n != size || sizeErr != nil):
			t.Fatalf("ReadValue = %d, ReplyLen = %d, %v", n, size, sizeErr)
		case err == nil && n > 0 && v.Kind == 0:
			t.Fatalf("no kind in %+v", v)
		case err != nil && n != 0:
			t.Fatalf("ReadValue = %d along with %v", n, err)
		case sizeErr != nil && err == nil:
			t.Fatalf("ReadValue took what ReplyLen refuses: %v", sizeErr)
		}
	})
}
