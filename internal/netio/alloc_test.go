//go:build !race

package netio

import (
	"io"
	"testing"
)

// TestEchoAllocates checks that a request and its reply allocate nothing, copied
// or by reference, once the buffers are there. (The race detector allocates.)
func TestEchoAllocates(t *testing.T) {
	each(t, transports[:2], func(t *testing.T, tr transport) {
		for _, size := range []int{3, 5000} {
			server, client := tr.pair(t)
			record(t, server, (*tape).echo)
			request, reply := make([]byte, size), make([]byte, size)
			allocs := testing.AllocsPerRun(2000, func() {
				if _, err := client.Write(request); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(client, reply); err != nil {
					t.Fatal(err)
				}
			})
			if allocs > 0 {
				t.Errorf("%v allocations per echo of %d bytes", allocs, size)
			}
		}
	})
}
