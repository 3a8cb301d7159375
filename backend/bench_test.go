package backend

import (
	"fmt"
	"testing"

	"redis-cluster-proxy/internal/netio"
)

// waker is a Handler that does nothing but tell that replies are there.
type waker chan struct{}

func (w waker) Replied(run []Reply, _ *Chunk) Flusher {
	for range run {
		w <- struct{}{}
	}
	return w
}

func (w waker) Failed(*Task, *LostError) Flusher { panic("a task failed") }

// Flush implements Flusher.
func (w waker) Flush() {}

// BenchmarkLane has sessions with one task in flight each share a lane.
func BenchmarkLane(b *testing.B) {
	for _, size := range []int{3, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			node := startEcho(b, nil)
			lane := startPool(b, Config{}).lane(node.addr, Profile{})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.SetParallelism(25)
			b.RunParallel(func(pb *testing.PB) {
				done := make(waker, 1)
				task := Task{Wire: []byte(bulk(size)), Handler: done}
				if size > 8<<10 { // as requests are sent
					chunk := netio.NewChunk(len(task.Wire))
					defer chunk.Release()
					task.WireChunk, task.Wire = chunk, chunk.B[:copy(chunk.B, task.Wire)]
				}
				for pb.Next() {
					if !lane.Enqueue(&task) {
						b.Error("refused")
						return
					}
					lane.Flush()
					<-done
				}
			})
		})
	}
}
