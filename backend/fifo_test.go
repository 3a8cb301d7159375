package backend

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestFifo is a model test, near the end of what the head can count to as well.
func TestFifo(t *testing.T) {
	for _, head := range []uint32{0, math.MaxUint32 - 50} {
		var f fifo
		f.push(entry{})
		f.head = head
		f.pop()
		var model []int64
		next := int64(0)
		for range 20_000 {
			if rand.N(40) == 0 {
				for range rand.N(100) {
					f.push(entry{task: new(Task), begin: next})
					model = append(model, next)
					next++
				}
			}
			if int(f.size) != len(model) {
				t.Fatalf("%d entries, want %d", f.size, len(model))
			}
			if len(model) == 0 {
				continue
			}
			i := rand.N(uint32(len(model)))
			if got := f.at(i).begin; got != model[i] {
				t.Fatalf("entry %d is %d, want %d", i, got, model[i])
			}
			slot := f.at(0)
			if e := f.pop(); e.begin != model[0] || e.task == nil {
				t.Fatalf("popped %d, want %d", e.begin, model[0])
			}
			if slot.task != nil {
				t.Fatal("pop kept the task")
			}
			model = model[1:]
		}
	}
}

func TestTaskList(t *testing.T) {
	var l TaskList
	tasks := make([]Task, 3)
	for range 2 {
		if l.Pop() != nil {
			t.Fatal("an empty list has a task")
		}
		for i := range tasks {
			l.Push(&tasks[i])
		}
		for i := range tasks {
			if got := l.Pop(); got != &tasks[i] || got.next != nil {
				t.Fatalf("task %d came out in the wrong place, or with a neighbour", i)
			}
		}
	}
}
