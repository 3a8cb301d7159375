package dispatcher

import (
	"context"
	"errors"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// AskSeries asks one node several questions over one connection, without waiting
// for a reply before the next, and returns the replies in that order. The node may
// do something else in between, save inside a MULTI.
func (e *Errand) AskSeries(ctx context.Context, addr string, commands ...[][]byte) ([][]byte, error) {
	wires := make([][]byte, len(commands))
	safe := true
	for i, args := range commands {
		wires[i] = resp.AppendCommandBytes(nil, args)
		safe = safe && repeatable(args)
	}
	l := e.d.member(addr).node.Lease(e.profile)
	defer l.Release()
	l.Keep(e.budget)
	if limit := e.d.pool.RequestTimeout(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, backend.ErrTimeout)
		defer cancel()
	}
	replies, err := l.DoAll(ctx, wires)
	if err == nil {
		return replies, nil
	}
	if errors.Is(context.Cause(ctx), backend.ErrTimeout) {
		err = &backend.LostError{Addr: addr, Sent: true, Err: backend.ErrTimeout}
	}
	return nil, e.explain(err, safe)
}
