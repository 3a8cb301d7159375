package main

import "testing"

// TestSize follows the units of redis.conf.
func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "17b": 17, "1k": 1000, "1kb": 1024, "5M": 5e6, "64mb": 64 << 20, "1g": 1e9, "2GB": 2 << 30,
	} {
		if got, err := size(0)(text); err != nil || got != want {
			t.Errorf("size(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
}
