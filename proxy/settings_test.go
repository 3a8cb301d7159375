package proxy

import (
	"testing"
	"time"
)

func TestMemoryBytes(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int64 // -1: refused
	}{
		{"0", 0}, {"1", 1}, {"5b", 5}, {"5B", 5}, {"2k", 2000}, {"2kb", 2048}, {"2Kb", 2048}, {"3m", 3000000}, {"3mb", 3 << 20}, {"1g", 1000000000},
		{"1gb", 1 << 30}, {"", -1}, {"kb", -1}, {"-1", -1}, {"1tb", -1}, {"1.5mb", -1}, {"1 mb", -1}, {"9223372036854775807", 1<<63 - 1},
		{"9223372036854775807kb", -1}, {"1bk", -1}, {"0x10", -1},
	} {
		n, ok := memoryBytes(tt.text)
		if !ok {
			n = -1
		}
		if n != tt.want {
			t.Errorf("%q is %d bytes, want %d", tt.text, n, tt.want)
		}
	}
}

func TestOutputLimits(t *testing.T) {
	var l outputLimits
	if fault := l.set("normal 1kb 512 60 pubsub 2mb 0 0"); fault != "" {
		t.Fatal(fault)
	}
	if got, want := l.String(), "normal 1024 512 60 slave 0 0 0 pubsub 2097152 0 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if l.normal.grace != time.Minute {
		t.Errorf("grace of %v", l.normal.grace)
	}
	again := outputLimits{}
	if fault := again.set(l.String()); fault != "" || again != l {
		t.Errorf("read back: %+v, %q", again, fault)
	}
}

// TestSlowLogForgets keeps the newest, with ids that go on.
func TestSlowLogForgets(t *testing.T) {
	l := &slowLog{}
	l.resize(3)
	for range 10 {
		l.add(slowRequest{})
	}
	list := l.latest(-1)
	if len(list) != 3 || list[0].id != 9 || list[2].id != 7 {
		t.Errorf("%+v", list)
	}
	if list := l.latest(1); len(list) != 1 || list[0].id != 9 {
		t.Errorf("the latest: %+v", list)
	}
	l.resize(1)
	if n := l.len(); n != 1 {
		t.Errorf("%d entries are left", n)
	}
	l.reset()
	l.add(slowRequest{})
	if list := l.latest(5); len(list) != 1 || list[0].id != 10 {
		t.Errorf("after a reset: %+v", list)
	}
}

// TestSlowLogIsNotFlooded: when all is slow, not all of it is written down.
func TestSlowLogIsNotFlooded(t *testing.T) {
	l := &slowLog{}
	taken := 0
	for range 5 * slowPerSecond {
		if l.admit() {
			taken++
		}
	}
	if taken < slowPerSecond || taken > 2*slowPerSecond {
		t.Errorf("%d of %d entries are taken", taken, 5*slowPerSecond)
	}
}
