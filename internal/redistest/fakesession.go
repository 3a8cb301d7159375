package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	errWrongPass = "WRONGPASS invalid username-password pair or user is disabled."
	errNoHello   = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH " +
		"<user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errNoPassword = "ERR AUTH <password> called without any password configured for the default user. " +
		"Are you sure your configuration is correct?"
)

func (c *fakeConn) ping(args []string) {
	switch len(args) {
	case 1:
		c.out.simple("PONG")
	case 2:
		c.out.bulk(args[1])
	default:
		c.fail("ERR wrong number of arguments for 'ping' command")
	}
}

func (c *fakeConn) echo(args []string) { c.out.bulk(args[1]) }

// login checks a user's password. Only the default user exists.
func (c *fakeConn) login(user, password string) bool {
	want := c.node.cluster.cfg.Password
	ok := user == "default" && (want == "" || password == want)
	c.authed = c.authed || ok
	return ok
}

func (c *fakeConn) auth(args []string) {
	user, password := "default", args[len(args)-1]
	switch {
	case len(args) > 3:
		c.fail(errSyntax)
		return
	case len(args) == 3:
		user = args[1]
	case c.node.cluster.cfg.Password == "":
		c.fail(errNoPassword)
		return
	}
	if !c.login(user, password) {
		c.fail(errWrongPass)
		return
	}
	c.out.simple("OK")
}

func (c *fakeConn) hello(args []string) {
	proto, name := c.out.proto, c.name
	if len(args) > 1 {
		var err error
		if proto, err = strconv.Atoi(args[1]); err != nil {
			c.fail("ERR Protocol version is not an integer or out of range")
			return
		}
		if proto != 2 && proto != 3 {
			c.fail("NOPROTO unsupported protocol version")
			return
		}
	}
	for i := 2; i < len(args); i++ {
		switch option := strings.ToLower(args[i]); {
		case option == "auth" && i+2 < len(args):
			if !c.login(args[i+1], args[i+2]) {
				c.fail(errWrongPass)
				return
			}
			i += 2
		case option == "setname" && i+1 < len(args):
			name = args[i+1]
			i++
		default:
			c.fail("ERR Syntax error in HELLO option '" + args[i] + "'")
			return
		}
	}
	if !c.authed {
		c.fail(errNoHello)
		return
	}
	c.out.proto, c.name = proto, name
	role, _ := c.node.roleLocked()
	c.out.mapping(7)
	c.out.items("server", "redis", "version", fakeVersion)
	c.out.bulk("proto")
	c.out.int(proto)
	c.out.bulk("id")
	c.out.int(c.id)
	c.out.items("mode", "cluster", "role", role)
	c.out.bulk("modules")
	c.out.array(0)
}

func (c *fakeConn) resetCommand([]string) {
	c.reset()
	c.out.simple("RESET")
}

func (c *fakeConn) quitCommand([]string) {
	c.quit = true
	c.out.simple("OK")
}

func (c *fakeConn) selectCommand(args []string) {
	switch n, err := strconv.Atoi(args[1]); {
	case c.node.cluster.cfg.Databases <= 1 && args[1] != "0":
		c.fail("ERR SELECT is not allowed in cluster mode")
	case err != nil || n < 0 || n > 0 && n >= c.node.cluster.cfg.Databases:
		c.fail("ERR DB index is out of range")
	default:
		c.db = n
		c.out.simple("OK")
	}
}

func (c *fakeConn) client(args []string) {
	switch sub := strings.ToLower(args[1]); {
	case sub == "setname" && len(args) == 3:
		c.name = args[2]
		c.out.simple("OK")
	case sub == "getname":
		c.out.bulk(c.name)
	case sub == "id":
		c.out.int(c.id)
	case slices.Contains([]string{"setinfo", "no-evict", "no-touch"}, sub):
		c.out.simple("OK")
	default:
		c.unknownSub(args)
	}
}

func (c *fakeConn) unknownSub(args []string) {
	c.fail(fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", args[1], strings.ToUpper(args[0])))
}

// setReadonly is READONLY and READWRITE.
func (c *fakeConn) setReadonly(args []string) {
	c.readonly = strings.EqualFold(args[0], "readonly")
	c.out.simple("OK")
}

func (c *fakeConn) setAsking([]string) {
	c.asking = true
	c.out.simple("OK")
}

func (c *fakeConn) waitCommand([]string) {
	c.out.int(len(c.node.cluster.topology.replicasOf(c.node)))
}

// config answers CONFIG GET with an empty map.
func (c *fakeConn) config(args []string) {
	if !strings.EqualFold(args[1], "get") {
		c.unknownSub(args)
		return
	}
	c.out.mapping(0)
}
