package proxy

import (
	"strconv"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

func (s *session) auth(row *command.Row, cmd *resp.Command) verdict {
	if len(cmd.Args) > 3 {
		return s.fail(row, "ERR syntax error")
	}
	if s.pipe.Busy() {
		return retry
	}
	profile := s.profile
	profile.User, profile.Password = "", string(cmd.Args[1])
	if len(cmd.Args) == 3 {
		profile.User, profile.Password = string(cmd.Args[1]), string(cmd.Args[2])
	}
	return s.verify(row, profile, replyOK, s.markAuthed)
}

func (s *session) markAuthed() { s.setAuthed(true) }

// helloOptions is what HELLO was asked for.
type helloOptions struct {
	profile backend.Profile
	auth    bool
	name    *string
}

// hello switches the protocol. Texts as in helloCommand of Redis 7.
func (s *session) hello(row *command.Row, cmd *resp.Command) verdict {
	opts, fault := s.parseHello(cmd.Args)
	if fault != "" {
		return s.fail(row, fault)
	}
	if s.pipe.Busy() {
		return retry
	}
	apply := func() {
		if opts.auth {
			s.setAuthed(true)
		}
		if opts.name != nil {
			s.name = *opts.name
		}
	}
	reply := s.appendHello(nil, opts.profile.Proto)
	if opts.auth {
		return s.verify(row, opts.profile, reply, apply)
	}
	if !s.authed {
		return s.fail(row, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	}
	s.profile = opts.profile
	s.pipe.SetProfile(s.profile)
	apply()
	return s.say(row, reply)
}

func (s *session) parseHello(args [][]byte) (opts helloOptions, fault string) {
	opts.profile = s.profile
	if len(args) > 1 {
		switch n, err := strconv.ParseInt(string(args[1]), 10, 64); {
		case err != nil:
			return opts, "ERR Protocol version is not an integer or out of range"
		case n != 2 && n != 3:
			return opts, "NOPROTO unsupported protocol version"
		default:
			opts.profile.Proto = resp.Proto(n)
		}
	}
	for i := 2; i < len(args); i++ {
		left := len(args) - 1 - i
		switch {
		case is(args[i], "AUTH") && left >= 2:
			opts.auth = true
			opts.profile.User, opts.profile.Password = string(args[i+1]), string(args[i+2])
			i += 2
		case is(args[i], "SETNAME") && left >= 1:
			name := string(args[i+1])
			if !validName(args[i+1]) {
				return opts, errBadName
			}
			opts.name = &name
			i++
		default:
			return opts, "ERR Syntax error in HELLO option '" + string(args[i]) + "'"
		}
	}
	return opts, ""
}

// appendHello describes the proxy as the standalone server it stands for.
func (s *session) appendHello(b []byte, proto resp.Proto) []byte {
	b = resp.AppendMapHeader(b, proto, 7)
	b = resp.AppendBulkString(b, "server")
	b = resp.AppendBulkString(b, "redis")
	b = resp.AppendBulkString(b, "version")
	b = resp.AppendBulkString(b, *s.srv.serverVersion.Load())
	b = resp.AppendBulkString(b, "proto")
	b = resp.AppendInt(b, int64(proto))
	b = resp.AppendBulkString(b, "id")
	b = resp.AppendInt(b, int64(s.id))
	b = resp.AppendBulkString(b, "mode")
	b = resp.AppendBulkString(b, "standalone")
	b = resp.AppendBulkString(b, "role")
	b = resp.AppendBulkString(b, "master")
	b = resp.AppendBulkString(b, "modules")
	return resp.AppendArrayHeader(b, 0)
}

// reset puts the session where a new client is.
func (s *session) reset(row *command.Row, _ *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	s.profile = s.srv.defaultProfile()
	s.profile.Proto = resp.RESP2
	s.pipe.SetProfile(s.profile)
	s.resetAuth()
	s.name, s.noEvict = "", false
	s.mute = muting{}
	s.pipe.SetSilent(false)
	return s.say(row, []byte("+RESET\r\n"))
}
