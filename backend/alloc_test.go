//go:build !race

package backend

import "testing"

// TestLaneAllocates checks that a task and its reply allocate nothing, alone or
// in a list, copied or by reference. (The race detector allocates.)
func TestLaneAllocates(t *testing.T) {
	node := startEcho(t, nil)
	lane := startPool(t, Config{}).lane(node.addr, Profile{})
	for _, size := range []int{3, 5000} {
		c := newCaller(t)
		done := make(waker, 8)
		tasks := make([]Task, 8)
		for i := range tasks {
			k := c.raw(bulk(size))
			if i%2 == 0 {
				k.WireChunk = chunkOf(k)
			}
			tasks[i] = k.Task
			tasks[i].Handler, tasks[i].Owner = done, nil
		}
		allocs := testing.AllocsPerRun(1000, func() {
			var list TaskList
			for i := range tasks {
				list.Push(&tasks[i])
			}
			one := list.Pop()
			if !lane.Enqueue(one) || !lane.EnqueueAll(&list, lane.Losses()) {
				t.Fatal("refused")
			}
			lane.Flush()
			for range tasks {
				<-done
			}
		})
		if allocs > 0 {
			t.Errorf("%v allocations for %d tasks of %d bytes", allocs, len(tasks), size)
		}
	}
}
