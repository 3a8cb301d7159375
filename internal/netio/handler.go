package netio

// Action is a Handler's answer to bytes that arrived.
type Action uint8

const (
	// Continue asks for more bytes.
	Continue Action = iota
	// Pause asks for no more bytes until Conn.Resume.
	Pause
	// Stop ends Serve with a nil error.
	Stop
)

// Handler consumes what a Conn reads. Its methods are called one at a time, by
// the goroutine that drives the Conn. None of them may block.
type Handler interface {
	// ReadBuffer returns where the next bytes go. It is never empty and stays
	// untouched by the handler until Arrived or Quiet.
	ReadBuffer() []byte
	// Arrived says that n > 0 bytes stand at the start of the last ReadBuffer.
	Arrived(n int) Action
	// Resumed is called after Resume, to go on with what had arrived before a
	// Pause, and when the peer has hung up during one. It may answer Pause again.
	Resumed() Action
	// Quiet is called when all that had arrived was handed over, right before
	// Serve waits: the moment to give buffers back.
	Quiet()
	// Settle is called after Conn.Later, when all Conns of the same Poller
	// goroutine have handled what had arrived: the moment to write. It may come
	// after the end of Drive.
	Settle()
}
