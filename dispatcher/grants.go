package dispatcher

import (
	"math"
	"sync"
	"time"

	"redis-cluster-proxy/backend"
)

// Grant is that a user may do something.
type Grant struct {
	// User and Password are those of a profile: another password may be wrong.
	User, Password string
	// What is the command, by its row's name, and what else was asked.
	What string
}

// GrantTo makes the Grant of what to the user of profile.
func GrantTo(profile backend.Profile, what string) Grant {
	return Grant{profile.User, profile.Password, what}
}

// Grants remembers what nodes have allowed whom, so that not everything begins
// with a question. What a node itself is asked for in the end it decides about again;
// what it is not asked for is believed for a while only. Refusals are not remembered.
// The zero value is empty; it is safe for concurrent use.
type Grants struct {
	mu sync.RWMutex
	// Guarded by mu.
	until map[Grant]int64 // by backend.Now
}

// maxGrants bounds what is remembered; past it all is forgotten.
const maxGrants = 10000

// Lasting is the life of a Grant that is believed until Clear.
const Lasting = time.Duration(math.MaxInt64)

// Grants returns what nodes have allowed the users of all sessions.
func (d *Dispatcher) Grants() *Grants { return &d.grants }

// Has reports whether g is remembered.
func (s *Grants) Has(g Grant) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.until[g] > backend.Now()
}

// Add remembers g for life, which may be Lasting.
func (s *Grants) Add(g Grant, life time.Duration) {
	until := int64(math.MaxInt64)
	if life != Lasting {
		until = backend.Now() + int64(life)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil || len(s.until) >= maxGrants {
		s.until = make(map[Grant]int64)
	}
	s.until[g] = until
}

// Clear forgets everything: the users may have been changed.
func (s *Grants) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = nil
}
