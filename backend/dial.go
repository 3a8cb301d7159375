package backend

import (
	"context"
	"net"
	"time"

	"redis-cluster-proxy/resp"
)

// aLongTimeAgo is a deadline that has passed: it ends what is under way.
var aLongTimeAgo = time.Unix(1, 0)

// greeted is what a node has said to a handshake.
type greeted struct {
	last resp.Value // its last reply
	rest []byte     // what came behind that
}

// dial connects to the node and sends the commands of a handshake.
func (n *Node) dial(ctx context.Context, cmds [][]string) (net.Conn, greeted, error) {
	ctx, cancel := context.WithTimeout(ctx, n.pool.cfg.ConnectTimeout)
	defer cancel()
	nc, err := n.pool.dialer.DialContext(ctx, "tcp", n.Addr)
	if err != nil {
		return nil, greeted{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(aLongTimeAgo) })
	hello, err := shakeHands(nc, cmds)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = nc.Close()
		return nil, greeted{}, err
	}
	return nc, hello, nil
}

// shakeHands sends the commands in one go and reads their replies.
func shakeHands(nc net.Conn, cmds [][]string) (hello greeted, err error) {
	if len(cmds) == 0 {
		return hello, nil
	}
	var out []byte
	for _, cmd := range cmds {
		out = resp.AppendCommand(out, cmd...)
	}
	if _, err := nc.Write(out); err != nil {
		return hello, err
	}
	var buf []byte
	var part [1024]byte
	for done := 0; done < len(cmds); {
		n, err := nc.Read(part[:])
		if err != nil {
			return hello, err
		}
		buf = append(buf, part[:n]...)
		for done < len(cmds) {
			v, n, err := resp.ReadValue(buf)
			if err != nil {
				return hello, err
			}
			if n == 0 {
				break
			}
			buf = buf[n:]
			done++
			if v.Kind == '-' || v.Kind == '!' {
				return hello, &HandshakeError{Text: v.Str}
			}
			hello.last = v
		}
	}
	hello.rest = buf
	return hello, nil
}
