package redistest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// stepTimeout bounds how long a step waits for bytes of its peer.
const stepTimeout = 30 * time.Second

// Any stands for any argument in Expect.
const Any = "\x00any\x00"

// errClosedByScript ends a conversation whose script has closed the connection.
var errClosedByScript = errors.New("closed by the script")

// Step is one step of a scripted connection. Steps may be used in several scripts.
type Step struct {
	name string
	run  func(c *scriptConn) error
}

// Expect reads one command, which must be this one: the name in any case, the arguments exactly, save where they are Any.
func Expect(args ...string) Step {
	return Step{fmt.Sprintf("expect %q", args), func(c *scriptConn) error {
		got, err := c.readCommand()
		if err != nil {
			return err
		}
		if !sameCommand(got, args) {
			return fmt.Errorf("got %q", got)
		}
		return nil
	}}
}

func sameCommand(got, want []string) bool {
	return len(got) == len(want) && strings.EqualFold(got[0], want[0]) &&
		slices.EqualFunc(got[1:], want[1:], func(g, w string) bool { return g == w || w == Any })
}

// ExpectN reads n commands, whatever they are.
func ExpectN(n int) Step {
	return Step{fmt.Sprintf("expect %d commands", n), func(c *scriptConn) error {
		for range n {
			if _, err := c.readCommand(); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Reply sends raw as it is; nothing is added to it. Several are sent in one write.
func Reply(raw ...string) Step {
	text := strings.Join(raw, "")
	return Step{fmt.Sprintf("reply %.60q", text), func(c *scriptConn) error {
		_, err := c.conn.Write([]byte(text))
		return err
	}}
}

// ReplyBytewise sends raw one byte per write.
func ReplyBytewise(raw string) Step {
	return Step{fmt.Sprintf("reply bytewise %.60q", raw), func(c *scriptConn) error {
		for i := range len(raw) {
			if _, err := c.conn.Write([]byte(raw[i : i+1])); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Close closes the connection. It ends the connection's script.
func Close() Step {
	return Step{"close", func(*scriptConn) error { return errClosedByScript }}
}

// Reset closes the connection by a TCP reset: the peer loses what it has not yet read. It ends the connection's script.
func Reset() Step {
	return Step{"reset", func(c *scriptConn) error {
		if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
		return errClosedByScript
	}}
}

// CloseAfter reads n bytes and closes the connection. It ends the connection's script.
func CloseAfter(n int) Step {
	return Step{fmt.Sprintf("close after %d bytes", n), func(c *scriptConn) error {
		if _, err := c.readBytes(n); err != nil {
			return err
		}
		return errClosedByScript
	}}
}

// AwaitClose waits until the peer has closed the connection; a byte instead is an error. It ends the connection's script.
func AwaitClose() Step {
	return Step{"await close", func(c *scriptConn) error {
		if got, err := c.readBytes(1); err == nil {
			return fmt.Errorf("got %q", got)
		} else if isTimeout(err) {
			return err
		}
		return errClosedByScript
	}}
}

// Await waits until ch is closed or something is sent to it: the test says when the script goes on.
func Await(ch <-chan struct{}) Step {
	return Step{"await", func(c *scriptConn) error {
		select {
		case <-ch:
			return nil
		case <-c.node.done:
		}
		select {
		case <-ch: // both: it was told before the node was closed
			return nil
		default:
			return net.ErrClosed
		}
	}}
}

// Do calls f, e.g. to close a channel that tells the test how far the script has come.
func Do(f func()) Step {
	return Step{"do", func(*scriptConn) error { f(); return nil }}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
