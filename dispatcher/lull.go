package dispatcher

import (
	"slices"
	"time"

	"redis-cluster-proxy/backend"
)

// Scope is which messages a name is about.
type Scope uint8

// The scopes there are.
const (
	Channels  Scope = iota // PUBLISH, by the channel's name
	Patterns               // PUBLISH, by a pattern that the name matches
	Shards                 // SPUBLISH
	numScopes = iota
)

// Lull is a time in which no message is under way to those who listen for some
// names. Nobody can tell of a message that is under way whether it comes before or
// behind a subscription that begins meanwhile: so it is not known whether its
// publisher is to be told of the new subscriber. Messages that come in a Lull wait
// for its end.
type Lull struct {
	// Set at construction.
	of    *messages
	scope Scope
	names []string
	far   bool

	// Guarded by messages.mu.
	quiet  func() // nil: was called, or is not wanted
	hushes []*hush
	left   int // messages under way that it waits for
	ended  bool
}

// lullPatience is the LullPatience of a Config that has none.
const lullPatience = 250 * time.Millisecond

// Lull begins a Lull. now is true if nothing is under way; else quiet, which may be
// nil, is called when that is so, or takes too long, without locks. It must not be
// called by quiet. The caller ends it, soon. far says that some name is subscribed to
// at another node than the owner of its slot.
func (d *Dispatcher) Lull(scope Scope, names []string, far bool, quiet func()) (l *Lull, now bool) {
	ms := &d.messages
	ms.mu.Lock()
	defer ms.mu.Unlock()
	l = &Lull{of: ms, scope: scope, names: names, far: far, quiet: quiet}
	if l.beginLocked() {
		l.quiet = nil
		return l, true
	}
	if quiet != nil {
		backend.AfterPatience(d.cfg.LullPatience, l.tell)
	}
	return l, false
}

// beginLocked holds back what comes, and reports whether nothing is under way. If
// messages wait already for the end of another Lull they are let through first: else
// they would wait as long as there is always some subscriber who comes.
func (l *Lull) beginLocked() (now bool) {
	ms := l.of
	for _, name := range l.names {
		if h := ms.hushed[l.scope][name]; h != nil && len(h.waiting) > 0 {
			h.next = append(h.next, l)
			return false
		}
	}
	for _, name := range l.names {
		h := ms.hushed[l.scope][name]
		if h == nil {
			h = &hush{of: ms, scope: l.scope, name: name}
			ms.hushed[l.scope][name] = h
		}
		h.lulls++
		l.hushes = append(l.hushes, h)
	}
	for m := ms.underWay.next; m != &ms.underWay; m = m.next {
		if ms.hushOfLocked(m) != nil { // maybe another's; then it is about to land all the same
			m.awaited = append(m.awaited, l)
			l.left++
		}
	}
	return l.left == 0 && !l.lingerLocked()
}

// lingerLocked reports whether messages may still be heard that have landed. It has
// quiet called when that is over.
func (l *Lull) lingerLocked() bool {
	if l.quiet == nil {
		return false
	}
	rest := l.of.lingerLocked(l)
	if rest > 0 {
		time.AfterFunc(rest, l.tell)
	}
	return rest > 0
}

// landedLocked notes that a message has landed that the Lull waits for.
func (l *Lull) landedLocked() {
	if l.left--; l.left == 0 && l.quiet != nil && !l.lingerLocked() {
		go l.tell() // who calls has locks
	}
}

// tell calls quiet, once.
func (l *Lull) tell() {
	l.of.mu.Lock()
	quiet := l.quiet
	l.quiet = nil
	l.of.mu.Unlock()
	if quiet != nil {
		quiet()
	}
}

// End lets messages go. It must be called, and may be called again. Safe for
// concurrent use, and with a Pipeline's lock held.
func (l *Lull) End() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.ended {
		return
	}
	l.ended, l.quiet = true, nil
	for _, h := range l.hushes {
		if h.lulls--; h.lulls == 0 && !h.over {
			h.overLocked()
		}
	}
}

// hush is a name under which no message is sent, because of Lulls.
type hush struct {
	// Set at construction.
	of    *messages
	scope Scope
	name  string

	// Guarded by messages.mu.
	lulls   int
	waiting []*message
	next    []*Lull // that begin when those messages are under way
	over    bool
	limit   *backend.Patience // of the waiting; nil: none does
}

// keepLocked has m wait.
func (h *hush) keepLocked(m *message) {
	m.behind = h
	h.waiting = append(h.waiting, m)
	if h.limit == nil {
		h.limit = backend.AfterPatience(h.of.d.cfg.LullPatience, h.expire)
	}
}

// forgetLocked takes back a message whose client is gone.
func (h *hush) forgetLocked(m *message) {
	m.behind = nil
	if i := slices.Index(h.waiting, m); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
	}
}

// expire ends the hush: messages have waited for too long.
func (h *hush) expire() {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	if !h.over {
		h.overLocked()
	}
}

// overLocked lets messages go, and Lulls begin that have let them go first.
func (h *hush) overLocked() {
	ms := h.of
	h.over = true
	delete(ms.hushed[h.scope], h.name)
	if h.limit != nil {
		h.limit.Stop()
	}
	for _, m := range h.waiting {
		m.behind = nil
		if other := ms.hushOfLocked(m); other != nil {
			other.keepLocked(m)
			continue
		}
		ms.departLocked(m)
		ms.wakeLocked(m)
	}
	next := h.next
	h.waiting, h.next = nil, nil
	for _, l := range next {
		if !l.ended && l.beginLocked() && l.quiet != nil {
			go l.tell()
		}
	}
}
