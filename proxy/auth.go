package proxy

import (
	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

func (s *session) auth(row *command.Row, cmd *resp.Command) verdict {
	v, fault := authWish(s.profile, cmd.Args)
	if fault != "" {
		return s.fail(row, fault)
	}
	if s.pipe.Busy() {
		return retry
	}
	if v.apply == nil {
		v.apply = s.markAuthed
	}
	return s.verify(row, v)
}

// authWish is what AUTH in a session of that profile asks for, without what is to be
// done then if that is to let the client in; or what is wrong with it.
func authWish(profile backend.Profile, args [][]byte) (v *verification, fault string) {
	if len(args) > 3 {
		return nil, errSyntax
	}
	v = &verification{profile: profile, reply: replyOK}
	switch password := string(args[len(args)-1]); {
	case len(args) == 3:
		user := string(args[1])
		if user == "" { // in a Profile, that is the default user
			return nil, errWrongPass
		}
		v.profile.User, v.profile.Password = user, password
		v.ask = v.profile
	case password == "":
		// A profile without a password asks nothing. Where the default user
		// takes an empty one, it takes any, and Redis objects to AUTH.
		v.ask = backend.Profile{User: "default"}
		v.reply, v.apply = resp.AppendError(nil, errNoPassword), nothing
	default:
		v.profile.User, v.profile.Password = "", password
		// Not by HELLO, which would accept it of a user without a password.
		v.ask = backend.Profile{Password: password}
	}
	return v, ""
}

const (
	// errWrongPass answers AUTH by a user who cannot exist.
	errWrongPass = "WRONGPASS invalid username-password pair or user is disabled."
	// errNoPassword answers AUTH with one argument where there is nothing to check.
	errNoPassword = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
)

func nothing() {}

func (s *session) markAuthed() { s.setAuthed(true) }

// helloOptions is what HELLO was asked for.
type helloOptions struct {
	profile backend.Profile
	auth    bool
	name    *string
	early   *string // the name in front of AUTH
	fault   string  // what is wrong with the options
}

// setName gives the client a name, if there is one.
func (s *session) setName(name *string) {
	if name != nil {
		s.show(func(b *badge) { b.name = *name })
	}
}

// hello switches the protocol. Order and texts are those of helloCommand of Redis,
// which since 7.2 takes all its options or none, and before took them one by one.
func (s *session) hello(row *command.Row, cmd *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	opts := parseHello(s.profile, cmd.Args)
	oneByOne := !s.srv.version().has(sinceRedis(7.2))
	if oneByOne {
		s.setName(opts.early)
	}
	if s.srv.helloAuths(opts) {
		v := &verification{ask: opts.profile, profile: opts.profile}
		v.apply = func() {
			s.setAuthed(true)
			s.speak(nothing)
			s.setName(opts.name)
		}
		if opts.fault != "" {
			v.profile.Proto = s.profile.Proto
			v.reply = resp.AppendError(nil, opts.fault)
		} else {
			v.reply = s.appendHello(nil, opts.profile.Proto)
		}
		return s.verify(row, v)
	}
	if opts.fault != "" {
		return s.fail(row, opts.fault)
	}
	if !s.authed {
		proto := " <proto>"
		if oneByOne {
			proto = ""
		}
		return s.fail(row, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO"+proto+
			" AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	}
	s.setName(opts.name)
	s.setProfile(opts.profile)
	s.speak(func() { s.say(row, s.appendHello(nil, opts.profile.Proto)) })
	return done
}

// helloAuths reports whether a HELLO asks for another user: newer servers read all
// options before they do anything.
func (s *Server) helloAuths(opts helloOptions) bool {
	return opts.auth && (opts.fault == "" || !s.version().has(sinceRedis(7.2)))
}

// parseHello reads the options of a HELLO in a session of that profile, up to what is
// wrong with them.
func parseHello(profile backend.Profile, args [][]byte) (opts helloOptions) {
	opts.profile = profile
	if len(args) > 1 {
		switch n, ok := integer(args[1]); {
		case !ok:
			opts.fault = "ERR Protocol version is not an integer or out of range"
			return opts
		case n != 2 && n != 3:
			opts.fault = "NOPROTO unsupported protocol version"
			return opts
		default:
			opts.profile.Proto = resp.Proto(n)
		}
	}
	for i := 2; i < len(args); i++ {
		left := len(args) - 1 - i
		switch {
		case is(args[i], "AUTH") && left >= 2:
			opts.profile.User, opts.profile.Password = string(args[i+1]), string(args[i+2])
			if opts.profile.User == "" {
				opts.fault = errWrongPass
				return opts
			}
			opts.auth = true
			i += 2
		case is(args[i], "SETNAME") && left >= 1:
			name := string(args[i+1])
			if !validName(args[i+1]) {
				opts.fault = errBadName
				return opts
			}
			opts.name = &name
			if !opts.auth {
				opts.early = &name
			}
			i++
		default:
			opts.fault = "ERR Syntax error in HELLO option '" + string(args[i]) + "'"
			return opts
		}
	}
	return opts
}

// appendHello describes the proxy as the standalone server it stands for.
func (s *session) appendHello(b []byte, proto resp.Proto) []byte {
	b = resp.AppendMapHeader(b, proto, 7)
	b = resp.AppendBulkString(b, "server")
	b = resp.AppendBulkString(b, s.srv.version().name)
	b = resp.AppendBulkString(b, "version")
	b = resp.AppendBulkString(b, s.srv.version().number)
	b = resp.AppendBulkString(b, "proto")
	b = resp.AppendInt(b, int64(proto))
	b = resp.AppendBulkString(b, "id")
	b = resp.AppendInt(b, int64(s.id))
	b = resp.AppendBulkString(b, "mode")
	b = resp.AppendBulkString(b, "standalone")
	b = resp.AppendBulkString(b, "role")
	b = resp.AppendBulkString(b, "master")
	b = resp.AppendBulkString(b, "modules")
	return s.srv.appendModules(b, proto)
}

// reset puts the session where a new client is.
func (s *session) reset(row *command.Row, _ *resp.Command) verdict {
	if s.pipe.Busy() {
		return retry
	}
	s.setTracking(nil)
	profile := s.srv.defaultProfile()
	profile.Proto = resp.RESP2
	s.setProfile(profile)
	s.resetAuth()
	s.setTransaction(nil)
	s.dropWatch()
	s.setMonitoring(false)
	s.unsubscribeAll()
	s.speak(nothing)
	s.show(func(b *badge) {
		b.name = ""
		b.noEvict = b.noEvict && !s.srv.version().has(sinceRedis(7.2)) // older ones leave it as it is
	})
	s.mute = muting{skipping: s.mute.skipping} // CLIENT REPLY SKIP skips this reply, too
	s.pipe.SetSilent(s.mute.skipping)
	return s.say(row, []byte("+RESET\r\n"))
}
