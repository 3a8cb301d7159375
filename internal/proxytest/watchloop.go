package proxytest

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// AddByWatch adds one to a key, n times, as go-redis would have it: WATCH, GET, and a transaction that is tried again if
// somebody else was faster.
func AddByWatch(ctx context.Context, client redis.UniversalClient, key string, n int) error {
	for done := 0; done < n; {
		err := client.Watch(ctx, func(tx *redis.Tx) error {
			value, err := tx.Get(ctx, key).Int()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.Set(ctx, key, value+1, 0)
				return nil
			})
			return err
		}, key)
		switch {
		case err == nil:
			done++
		case !errors.Is(err, redis.TxFailedErr):
			return err
		}
	}
	return nil
}
