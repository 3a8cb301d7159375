package dispatcher

import "strings"

// queue is the claims of one class on one key, by age.
type queue struct {
	// Set at construction.
	key   *awaited
	class string
	all   bool // whatever comes is for all of them: nothing is taken

	// Guarded by the claimSet's mu.
	first, last *spot
	active      int  // how many of them are trying to take something
	more        bool // there may be something for others
}

// Classes are what a claim can make use of: a type of key, and of a stream what
// is for the consumers of one group.
const (
	classList   = "list"
	classZset   = "zset"
	classStream = "stream"
)

// fits reports whether a key of this type may have something for the queue.
func (q *queue) fits(kind string) bool { return kind == "" || kind == kindOf(q.class) }

// kindOf is the type of key that a class is about.
func kindOf(class string) string {
	kind, _, _ := strings.Cut(class, " ")
	return kind
}

// signalLocked tells the queue that there may be n elements: so many of its
// oldest claims that have nothing else to do try to take one.
func (q *queue) signalLocked(n int) {
	if q.all {
		for s := q.first; s != nil; s = s.next {
			s.callLocked()
		}
		return
	}
	q.more = q.active > 0
	for s := q.first; s != nil && q.active < n; s = s.next {
		if s.idleLocked() {
			q.active++
			s.callLocked()
		}
	}
	q.more = q.more || q.active < n && q.first != nil
}

func (q *queue) pushLocked(s *spot) {
	s.prev = q.last
	if q.last == nil {
		q.first = s
	} else {
		q.last.next = s
	}
	q.last = s
}

func (q *queue) removeLocked(s *spot) {
	if s.prev == nil {
		q.first = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		q.last = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// queueLocked returns the queue of a class.
func (k *awaited) queueLocked(class string, all bool) *queue {
	for _, q := range k.queues {
		if q.class == class && q.all == all {
			return q
		}
	}
	q := &queue{key: k, class: class, all: all}
	k.queues = append(k.queues, q)
	return q
}
