package e2e

import (
	"fmt"
	"sync"
)

// tally knows of each element who has got it.
type tally struct {
	mu sync.Mutex
	// Guarded by mu.
	times map[string]int // how often it was given away, of those that were pushed
	wrong []string
}

func (l *tally) pushed(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[id] += 0
}

func (l *tally) got(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times[id]++; l.times[id] > 1 {
		l.wrong = append(l.wrong, id+" twice")
	}
}

func (l *tally) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}
