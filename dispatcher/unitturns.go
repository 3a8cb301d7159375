package dispatcher

import (
	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// Inside EXEC, HELLO changes how the replies to the commands behind it look, AUTH
// whose commands they are, and SELECT whose keys. So the node is told the same in the
// middle of the unit, and its replies to that are left out of the client's. A
// connection that has served such a unit serves nobody else.

// turn is a point of a unit from which on it may be another profile's.
type turn struct {
	number   int // as Turn returned it
	at       int // in the unit's wire, as it was queued
	commands int // that bring it about; see Settle
}

// Turn says that commands which are queued from now on may be another profile's,
// which Settle gets by the number that is returned: 0, 1 and so on.
func (t *Transaction) Turn() (number int) {
	t.turns++
	return t.turns - 1
}

// catchUp notes, ahead of a command, that the unit has missed turns.
func (t *Transaction) catchUp(u *unit) {
	if u.turns == t.turns {
		return
	}
	u.turns = t.turns
	t.places = append(t.places, place{unit: u, turn: &turn{number: t.turns - 1, at: len(u.wire)}})
}

// Settle says which profile is in force behind each turn; from is the session's at
// EXEC. It is to be called once, if Turn was, before the transaction is executed, and
// Each not any more then.
func (t *Transaction) Settle(from backend.Profile, behind []backend.Profile) {
	type progress struct {
		profile backend.Profile
		wire    []byte
		read    int
	}
	of := make([]progress, len(t.units))
	for i := range of {
		of[i].profile = from
	}
	for _, at := range t.places {
		if at.turn == nil {
			continue
		}
		u, p := at.unit, &of[at.unit.index]
		p.wire = append(p.wire, u.wire[p.read:at.turn.at]...)
		p.read = at.turn.at
		for _, cmd := range behind[at.turn.number].Since(p.profile) {
			p.wire = resp.AppendCommand(p.wire, cmd...)
			at.turn.commands++
			u.commands++
			u.lasting = true
		}
		p.profile = behind[at.turn.number]
	}
	for i, u := range t.units {
		u.wire = append(of[i].wire, u.wire[of[i].read:]...)
	}
}
