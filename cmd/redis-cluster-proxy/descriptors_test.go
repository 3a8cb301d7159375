package main

import (
	"math"
	"testing"
)

func TestFitClients(t *testing.T) {
	for _, tt := range []struct {
		want        int
		descriptors uint64
		fit         int
	}{
		{10000, 20000, 10000}, {10000, 1024, 768}, {100, 1024, 100}, {0, 1024, 768}, {10000, 13334, 10000},
		{10000, 0, 10000}, {0, 0, 0}, // not known
		{10000, math.MaxUint64, 10000}, {0, math.MaxUint64, math.MaxInt32},
	} {
		if got := fitClients(tt.want, tt.descriptors); got != tt.fit {
			t.Errorf("fitClients(%d, %d) = %d, want %d", tt.want, tt.descriptors, got, tt.fit)
		}
	}
}

func TestDescriptorLimit(t *testing.T) {
	if n := descriptorLimit(); n < 256 {
		t.Errorf("descriptorLimit() = %d, with which no test would pass", n)
	}
}
