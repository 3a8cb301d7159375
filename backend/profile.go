package backend

import (
	"strconv"
	"unique"

	"redis-cluster-proxy/resp"
)

// Profile is all that a server remembers about a connection. Sessions with
// equal profiles share lanes.
type Profile struct {
	// User and Password are sent with AUTH or HELLO. Both empty: neither is
	// sent. An empty User means the default user.
	User, Password string
	// DB is the database's index.
	DB int
	// Proto is the protocol of requests and replies. Zero means RESP2.
	Proto resp.Proto
	// ReadOnly makes a replica of a cluster answer reads.
	ReadOnly bool
	// NoTouch keeps commands from changing the keys' last access.
	NoTouch bool
}

// ProfileHandle is a Profile that compares in one instruction.
type ProfileHandle = unique.Handle[Profile]

// MakeProfile returns the handle of p.
func MakeProfile(p Profile) ProfileHandle { return unique.Make(p) }

// handshake returns the commands that put a new connection into the profile,
// each of which answers with something that is not an error.
func (p Profile) handshake() [][]string {
	var cmds [][]string
	switch {
	case p.Proto == 3 && p.Password == "" && p.User == "":
		cmds = append(cmds, []string{"HELLO", "3"})
	case p.Proto == 3:
		cmds = append(cmds, []string{"HELLO", "3", "AUTH", p.userName(), p.Password})
	case p.User != "":
		cmds = append(cmds, []string{"AUTH", p.User, p.Password})
	case p.Password != "":
		cmds = append(cmds, []string{"AUTH", p.Password})
	}
	if p.DB != 0 {
		cmds = append(cmds, []string{"SELECT", strconv.Itoa(p.DB)})
	}
	if p.ReadOnly {
		cmds = append(cmds, []string{"READONLY"})
	}
	if p.NoTouch {
		cmds = append(cmds, []string{"CLIENT", "NO-TOUCH", "ON"})
	}
	return cmds
}

// Since returns the commands that put a connection which is in the profile before
// into p; ReadOnly does not count.
func (p Profile) Since(before Profile) [][]string {
	var cmds [][]string
	switch {
	case p.User == before.User && p.Password == before.Password:
	case p.User != "":
		cmds = append(cmds, []string{"AUTH", p.User, p.Password})
	default:
		cmds = append(cmds, []string{"AUTH", p.Password})
	}
	if p.Proto != before.Proto {
		cmds = append(cmds, []string{"HELLO", strconv.Itoa(int(max(p.Proto, resp.RESP2)))})
	}
	if p.DB != before.DB {
		cmds = append(cmds, []string{"SELECT", strconv.Itoa(p.DB)})
	}
	if p.NoTouch != before.NoTouch {
		on := "OFF"
		if p.NoTouch {
			on = "ON"
		}
		cmds = append(cmds, []string{"CLIENT", "NO-TOUCH", on})
	}
	return cmds
}

// sameUser reports whether p acts as the user of other.
func (p Profile) sameUser(other Profile) bool {
	return p.userName() == other.userName() && p.Password == other.Password
}

func (p Profile) userName() string {
	if p.User == "" {
		return "default"
	}
	return p.User
}
