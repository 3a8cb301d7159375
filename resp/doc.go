// Package resp reads and writes RESP, the protocol between a Redis client and
// a Redis server, versions 2 and 3 (https://redis.io/docs/latest/develop/reference/protocol-spec/).
//
// It cuts bytes and makes bytes; it does no I/O, starts no goroutine, keeps no
// buffer of its own and knows no command. There are three readers:
//
//   - CommandParser cuts a client's stream into commands, arrays of bulk
//     strings as well as inline lines, with Redis's own limits, leniency and
//     error texts.
//   - ReplyScanner cuts a server's stream into whole replies without looking
//     into them: that is all a proxy needs to pass a reply on.
//   - ReadValue decodes one reply into a Value, for tests and for the control
//     plane. It allocates and has no place on the hot path.
//
// Both stream readers are used in the same way. The caller owns the buffer
// and hands in everything that is not consumed yet:
//
//	for len(buf) > 0 {
//		cmd, n, err := parser.Next(buf)
//		if err != nil { reply and close }
//		if n == 0 { break } // incomplete: read more behind buf, at least up to parser.Need()
//		if len(cmd.Args) > 0 { handle cmd }
//		buf = buf[n:]
//	}
//
// After an incomplete call the next one gets the same bytes, with more behind
// them and perhaps at another address. A reader remembers how far it came as
// an offset, so a command or a reply that trickles in byte by byte costs time
// in proportion to its length, and nothing is kept for parts still to come.
//
// The Append functions write commands and replies behind a slice, like the
// builtin append. Those that take a Proto write what Redis writes to a client
// that speaks that version.
//
// Readers are not safe for concurrent use; functions are.
package resp
