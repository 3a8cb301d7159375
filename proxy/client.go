package proxy

import (
	"fmt"
	"strings"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

const (
	errBadName = "ERR Client names cannot contain spaces, newlines or special characters."
	errSyntax  = "ERR syntax error"
)

// validName reports whether a client may be called so: printable and without
// blanks, as validateClientAttr of Redis has it.
func validName(name []byte) bool {
	for _, c := range name {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

func (s *session) clientID(row *command.Row, _ *resp.Command) verdict {
	return s.say(row, resp.AppendInt(nil, int64(s.id)))
}

func (s *session) clientSetName(row *command.Row, cmd *resp.Command) verdict {
	if !validName(cmd.Args[2]) {
		return s.fail(row, errBadName)
	}
	s.name = string(cmd.Args[2])
	return s.ok(row)
}

func (s *session) clientGetName(row *command.Row, _ *resp.Command) verdict {
	if s.name == "" {
		return s.say(row, resp.AppendNull(nil, s.proto()))
	}
	return s.say(row, resp.AppendBulkString(nil, s.name))
}

func (s *session) clientSetInfo(row *command.Row, cmd *resp.Command) verdict {
	attr := strings.ToLower(string(cmd.Args[2]))
	var field *string
	switch attr {
	case "lib-name":
		field = &s.libName
	case "lib-ver":
		field = &s.libVer
	default:
		return s.fail(row, "ERR Unrecognized option '"+string(cmd.Args[2])+"'")
	}
	if !validName(cmd.Args[3]) {
		return s.fail(row, "ERR "+attr+" cannot contain spaces, newlines or special characters.")
	}
	*field = string(cmd.Args[3])
	return s.ok(row)
}

// clientInfo writes the line of CLIENT INFO. Sizes that the proxy does not keep
// per client are 0.
func (s *session) clientInfo(row *command.Row, _ *resp.Command) verdict {
	nc := s.conn.NetConn()
	flags := "N"
	if s.noEvict {
		flags = "e"
	}
	if s.profile.NoTouch {
		flags = strings.TrimPrefix(flags, "N") + "T"
	}
	user := s.profile.User
	if user == "" {
		user = "default"
	}
	line := fmt.Sprintf("id=%d addr=%s laddr=%s fd=0 name=%s age=%d idle=0 flags=%s db=0 sub=0 psub=0 ssub=0 multi=-1 "+
		"qbuf=%d qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=client|info user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s\n",
		s.id, nc.RemoteAddr(), nc.LocalAddr(), s.name, int(time.Since(s.born).Seconds()), flags, s.in.Len(), user, s.proto(), s.libName, s.libVer)
	return s.say(row, resp.AppendVerbatim(nil, s.proto(), "txt", line))
}

func (s *session) clientNoEvict(row *command.Row, cmd *resp.Command) verdict {
	on, ok := onOff(cmd.Args[2])
	if !ok {
		return s.fail(row, errSyntax)
	}
	s.noEvict = on // the proxy evicts no clients
	return s.ok(row)
}

// clientNoTouch changes the profile; the cluster must know the command.
func (s *session) clientNoTouch(row *command.Row, cmd *resp.Command) verdict {
	on, ok := onOff(cmd.Args[2])
	if !ok {
		return s.fail(row, errSyntax)
	}
	if s.pipe.Busy() {
		return retry
	}
	profile := s.profile
	profile.NoTouch = on
	return s.verify(row, &verification{ask: profile, profile: profile, reply: replyOK, apply: nothing})
}

func (s *session) clientReply(row *command.Row, cmd *resp.Command) verdict {
	switch {
	case is(cmd.Args[2], "ON"):
		s.mute = muting{}
		s.pipe.SetSilent(false)
		return s.ok(row)
	case is(cmd.Args[2], "OFF"):
		s.mute.off = true
	case is(cmd.Args[2], "SKIP"):
		s.mute.skipNext = !s.mute.off
	default:
		return s.fail(row, errSyntax)
	}
	return done
}

func onOff(arg []byte) (on, ok bool) {
	return is(arg, "ON"), is(arg, "ON") || is(arg, "OFF")
}
