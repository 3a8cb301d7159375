package netio

import (
	"sync"
	"testing"
)

// testChunk is a chunk of a test's own bytes.
type testChunk struct{ *Chunk }

func ownChunk(b []byte) testChunk {
	c := &Chunk{B: b, class: -1}
	c.refs.Store(1)
	return testChunk{c}
}

// awaitSole waits until all references but the test's are gone.
func (c testChunk) awaitSole(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the release of all references", func() bool { return c.refs.Load() == 1 })
}

func TestChunkSizes(t *testing.T) {
	for _, size := range chunkSizes {
		for _, min := range []int{size - 1, size} {
			if c := NewChunk(min); len(c.B) != size {
				t.Errorf("NewChunk(%d) has %d bytes, want %d", min, len(c.B), size)
			}
		}
	}
	if c := NewChunk(0); len(c.B) != chunkSizes[0] {
		t.Errorf("NewChunk(0) has %d bytes", len(c.B))
	}
	huge := NewChunk(5 << 20)
	if len(huge.B) != 5<<20 {
		t.Errorf("NewChunk(5 MiB) has %d bytes", len(huge.B))
	}
	huge.Release() // is not pooled
}

func TestChunkReferences(t *testing.T) {
	c := ownChunk(nil)
	if c.Shared() {
		t.Error("a new chunk is shared")
	}
	c.Retain()
	if !c.Shared() {
		t.Error("a retained chunk is not shared")
	}
	c.Release()
	c.Release()
	defer func() {
		if recover() == nil {
			t.Error("one Release too many went unnoticed")
		}
	}()
	c.Release()
}

// TestChunkReuse passes chunks between goroutines: nobody may find another's
// bytes in a chunk that is his.
func TestChunkReuse(t *testing.T) {
	const goroutines, rounds = 8, 500
	var wg sync.WaitGroup
	for id := range goroutines {
		wg.Go(func() {
			for range rounds {
				c := NewChunk(1)
				for i := range c.B[:64] {
					c.B[i] = byte(id)
				}
				c.Retain()
				var reader sync.WaitGroup
				reader.Go(func() {
					for _, b := range c.B[:64] {
						if b != byte(id) {
							t.Errorf("%d found %d in its chunk", id, b)
						}
					}
					c.Release()
				})
				c.Release()
				reader.Wait()
			}
		})
	}
	wg.Wait()
}
