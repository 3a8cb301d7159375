package proxy

import (
	"strconv"
	"strings"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
)

// outputLimit is how much a client may leave unread before it is closed.
type outputLimit struct {
	hard  int64         // bytes; 0: any amount
	soft  int64         // bytes that it may leave unread for no longer than grace; 0: likewise
	grace time.Duration // of whole seconds
}

// outputLimits are the limits by kind of client. The proxy has no replicas; the
// limit for them is remembered for those who read it back.
type outputLimits struct{ normal, replica, pubsub outputLimit }

// String is the setting as CONFIG GET tells it.
func (l *outputLimits) String() string {
	var b []byte
	for _, class := range []struct {
		name  string
		limit outputLimit
	}{{"normal ", l.normal}, {" slave ", l.replica}, {" pubsub ", l.pubsub}} {
		b = append(b, class.name...)
		b = append(strconv.AppendInt(b, class.limit.hard, 10), ' ')
		b = append(strconv.AppendInt(b, class.limit.soft, 10), ' ')
		b = strconv.AppendInt(b, int64(class.limit.grace/time.Second), 10)
	}
	return string(b)
}

// set reads groups of four words: class, hard limit, soft limit and seconds.
func (l *outputLimits) set(value string) (fault string) {
	words := strings.Fields(value)
	if len(words)%4 != 0 {
		return "Wrong number of arguments in buffer limit configuration."
	}
	for ; len(words) > 0; words = words[4:] {
		var class *outputLimit
		switch strings.ToLower(words[0]) {
		case "normal":
			class = &l.normal
		case "slave", "replica":
			class = &l.replica
		case "pubsub":
			class = &l.pubsub
		default:
			return "Invalid client class specified in buffer limit configuration."
		}
		hard, ok1 := memoryBytes(words[1])
		soft, ok2 := memoryBytes(words[2])
		seconds, err := strconv.ParseInt(words[3], 10, 32)
		if !ok1 || !ok2 || err != nil || seconds < 0 {
			return "Error in hard, soft or soft_seconds setting in buffer limit configuration."
		}
		*class = outputLimit{hard: hard, soft: soft, grace: time.Duration(seconds) * time.Second}
	}
	return ""
}

// checkOutput closes a client that leaves too much unread: left bytes at the
// moment.
func (s *session) checkOutput(left int64) {
	left += int64(s.pipe.Withheld())
	output := &s.srv.settings.Load().output
	limit := output.normal
	subscriber := s.hears.Load()
	if subscriber {
		limit = output.pubsub
	}
	over := limit.hard > 0 && left > limit.hard
	switch {
	case limit.soft == 0 || left <= limit.soft:
		s.crowded.Store(0)
	case s.crowded.CompareAndSwap(0, backend.Now()):
	default:
		over = over || backend.Now()-s.crowded.Load() > int64(limit.grace)
	}
	if over && s.conn.Abort() {
		s.srv.aborted.Add(1)
		if subscriber {
			s.srv.abortedSubscribers.Add(1)
		}
		glog.Warningf("client %d %s closed: it left %d bytes of replies unread", s.id, s.conn.NetConn().RemoteAddr(), left)
	}
}
