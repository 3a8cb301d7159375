package proxy

import (
	"strings"

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
	s.show(func(b *badge) { b.name = string(cmd.Args[2]) })
	return s.ok(row)
}

func (s *session) clientGetName(row *command.Row, _ *resp.Command) verdict {
	if s.badge.name == "" {
		return s.say(row, resp.AppendNull(nil, s.proto()))
	}
	return s.say(row, resp.AppendBulkString(nil, s.badge.name))
}

func (s *session) clientSetInfo(row *command.Row, cmd *resp.Command) verdict {
	attr := strings.ToLower(string(cmd.Args[2]))
	if attr != "lib-name" && attr != "lib-ver" {
		return s.fail(row, "ERR Unrecognized option '"+string(cmd.Args[2])+"'")
	}
	if !validName(cmd.Args[3]) {
		return s.fail(row, "ERR "+string(cmd.Args[2])+" cannot contain spaces, newlines or special characters.")
	}
	s.show(func(b *badge) {
		if attr == "lib-name" {
			b.libName = string(cmd.Args[3])
		} else {
			b.libVer = string(cmd.Args[3])
		}
	})
	return s.ok(row)
}

func (s *session) clientNoEvict(row *command.Row, cmd *resp.Command) verdict {
	on, ok := onOff(cmd.Args[2])
	if !ok {
		return s.fail(row, errSyntax)
	}
	s.show(func(b *badge) { b.noEvict = on }) // the proxy evicts no clients
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
		s.mute = muting{skipNext: s.mute.skipNext} // which EXEC may have set
		s.pipe.SetSilent(false)
		s.deafen(false)
		return s.ok(row)
	case is(cmd.Args[2], "OFF"):
		s.mute.off = true
		s.deafen(true)
	case is(cmd.Args[2], "SKIP"):
		s.mute.skipNext = !s.mute.off
	default:
		return s.fail(row, errSyntax)
	}
	return done
}

// clientCapa keeps what the client says of itself for CLIENT LIST. The proxy never
// redirects.
func (s *session) clientCapa(row *command.Row, cmd *resp.Command) verdict {
	for _, capa := range cmd.Args[2:] { // others are ignored
		if is(capa, "redirect") {
			s.show(func(b *badge) { b.capaRedirect = true })
		}
	}
	return s.ok(row)
}

// clientImportSource answers as servers that import nothing. A node that does
// treats its client's writes in another way, which connections that are shared
// cannot have.
func (s *session) clientImportSource(row *command.Row, cmd *resp.Command) verdict {
	if is(cmd.Args[2], "OFF") {
		return s.ok(row)
	}
	return s.fail(row, "ERR Server is not in import mode")
}

func onOff(arg []byte) (on, ok bool) {
	return is(arg, "ON"), is(arg, "ON") || is(arg, "OFF")
}
