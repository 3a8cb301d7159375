package netio

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkConnEcho sends requests of a size back, over as many connections as
// there are benchmark goroutines, each with one request in flight.
func BenchmarkConnEcho(b *testing.B) {
	for _, tr := range []transport{transports[0], transports[1], transports[4]} {
		for _, size := range []int{3, 1 << 10, 16 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%s/%d", tr.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.SetParallelism(8)
				b.RunParallel(func(pb *testing.PB) {
					server, client := tr.pair(b)
					h := record(b, server, (*tape).echo)
					request, reply := make([]byte, size), make([]byte, size)
					for pb.Next() {
						if _, err := client.Write(request); err != nil {
							b.Error(err)
							return
						}
						if _, err := io.ReadFull(client, reply); err != nil {
							b.Error(err)
							return
						}
					}
					client.Close()
					_ = h.result(b)
				})
			})
		}
	}
}
