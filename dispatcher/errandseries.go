package dispatcher

import (
	"context"

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
	var replies [][]byte
	err := e.inTime(ctx, addr, backend.Now(), func(ctx context.Context) (err error) {
		replies, err = l.DoAll(ctx, wires)
		return err
	})
	if err != nil {
		return nil, e.explain(err, safe)
	}
	return replies, nil
}
