package dispatcher

import (
	"testing"
	"time"
)

// slowLook is a seeker whose first look takes a while.
type slowLook time.Duration

func (slowLook) wants() (keys [][]byte, class string, all bool) { return nil, "", false }

func (s slowLook) look(w *overSlots) (Reply, bool) {
	select {
	case <-time.After(time.Duration(s)):
		return Whole([]byte("+found\r\n")), true
	case <-w.ctx.Done():
		return Reply{}, false
	}
}

func (slowLook) try(*overSlots, *spot) (Reply, taking) { return Reply{}, takeNothing }

// TestFirstLookHasTime: what is there is found, however short the client wants to wait, unless it takes too long.
func TestFirstLookHasTime(t *testing.T) {
	for takes, want := range map[time.Duration]string{0: "+found\r\n", lookGrace - 1: "+found\r\n", lookGrace + time.Millisecond: "*-1\r\n"} {
		virtual(t, Config{}, func(r *rig, _ *chart) {
			s := r.newSession()
			defer s.close()
			row, args := asked(t, "BLPOP a b 0.0001")
			answer := make(chan string, 1)
			newOverSlots(s.pipe, row, args, slowLook(takes), func(reply Reply) { answer <- string(reply.Bytes()) }).Begin()
			if got := <-answer; got != want {
				t.Errorf("a look that takes %s is answered with %q", takes, got)
			}
		})
	}
}
