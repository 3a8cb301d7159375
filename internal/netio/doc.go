// Package netio drives a byte stream: it hands arrived bytes to a Handler and
// writes gathered bytes without blocking the goroutine that gathered them.
//
// Both sides of the proxy stand on it: a client's session and a lane to a node
// differ in what they do with bytes, not in how bytes come and go.
//
// Reading. Conn.Serve reads in the caller's goroutine and calls the Handler
// from there, one call at a time. A plain TCP or Unix socket is read inside
// syscall.RawConn.Read, whose callback may decline to try again: one read
// system call per batch of bytes where net.Conn.Read spends two. A short read
// means that the socket is empty (epoll(7), "Questions and answers", 9), but it
// can hide a FIN that came with the last bytes, so a second, hang-up only epoll
// instance watches every such socket (hangup_linux.go). Other streams (TLS, other
// systems) are read in the ordinary way.
//
// Polling. Conns that a Poller makes are driven by a few goroutines, each of
// which waits for many sockets (poller_linux.go). They call the same Handlers; and
// since all that is ready is handled before anything is written, Conn.Later lets a
// Handler put off what it has to write until then.
//
// Writing. Output gathers in a Batch of the caller's; Queue hands it over, and
// Flush writes it with non-blocking system calls. Only when the socket is full does a goroutine
// start, which writes the rest and ends.
//
// The package does not frame, parse, time out or reconnect.
package netio
