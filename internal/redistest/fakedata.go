package redistest

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	errSyntax   = "ERR syntax error"
	errInteger  = "ERR value is not an integer or out of range"
	errOverflow = "ERR increment or decrement would overflow"
)

// value answers with what key holds.
func (c *fakeConn) value(key string) {
	if v, ok := c.node.data[key]; ok {
		c.out.bulk(v)
	} else {
		c.out.null()
	}
}

func (c *fakeConn) store(key, value string) { c.node.setLocked(key, &value) }

func (c *fakeConn) get(args []string)    { c.value(args[1]) }
func (c *fakeConn) strlen(args []string) { c.out.int(len(c.node.data[args[1]])) }

func (c *fakeConn) mget(args []string) {
	c.out.array(len(args) - 1)
	for _, key := range args[1:] {
		c.value(key)
	}
}

func (c *fakeConn) exists(args []string) {
	count := 0
	for _, key := range args[1:] {
		if _, ok := c.node.data[key]; ok {
			count++
		}
	}
	c.out.int(count)
}

func (c *fakeConn) typeOf(args []string) {
	if _, ok := c.node.data[args[1]]; ok {
		c.out.simple("string")
	} else {
		c.out.simple("none")
	}
}

func (c *fakeConn) fakeRead(args []string) { c.out.bulk(args[2]) }

func (c *fakeConn) fakeWrite(args []string) {
	c.store(args[1], args[2])
	c.out.bulk(args[2])
}

// set knows NX, XX and GET. Expiry is accepted and ignored.
func (c *fakeConn) set(args []string) {
	var nx, xx, get bool
	for i := 3; i < len(args); i++ {
		switch strings.ToLower(args[i]) {
		case "nx":
			nx = true
		case "xx":
			xx = true
		case "get":
			get = true
		case "keepttl":
		case "ex", "px", "exat", "pxat":
			i++
		default:
			c.fail(errSyntax)
			return
		}
	}
	_, there := c.node.data[args[1]]
	refused := nx && there || xx && !there
	switch {
	case get:
		c.value(args[1])
	case refused:
		c.out.null()
	default:
		c.out.simple("OK")
	}
	if !refused {
		c.store(args[1], args[2])
	}
}

func (c *fakeConn) setnx(args []string) {
	if _, there := c.node.data[args[1]]; there {
		c.out.int(0)
		return
	}
	c.store(args[1], args[2])
	c.out.int(1)
}

func (c *fakeConn) getset(args []string) {
	c.value(args[1])
	c.store(args[1], args[2])
}

func (c *fakeConn) getdel(args []string) {
	c.value(args[1])
	c.node.setLocked(args[1], nil)
}

func (c *fakeConn) mset(args []string) {
	if len(args)%2 == 0 {
		c.fail("ERR wrong number of arguments for 'mset' command")
		return
	}
	for pair := range slices.Chunk(args[1:], 2) {
		c.store(pair[0], pair[1])
	}
	c.out.simple("OK")
}

func (c *fakeConn) del(args []string) {
	count := 0
	for _, key := range args[1:] {
		if _, ok := c.node.data[key]; ok {
			count++
			c.node.setLocked(key, nil)
		}
	}
	c.out.int(count)
}

func (c *fakeConn) append(args []string) {
	v := c.node.data[args[1]] + args[2]
	c.store(args[1], v)
	c.out.int(len(v))
}

// incr is INCR, DECR and INCRBY.
func (c *fakeConn) incr(args []string) {
	by := 1
	var err error
	if len(args) > 2 {
		by, err = strconv.Atoi(args[2])
	} else if strings.EqualFold(args[0], "decr") {
		by = -1
	}
	old := 0
	if text, ok := c.node.data[args[1]]; ok && err == nil {
		old, err = strconv.Atoi(text)
	}
	switch {
	case err != nil:
		c.fail(errInteger)
		return
	case by > 0 && old > math.MaxInt-by, by < 0 && old < math.MinInt-by:
		c.fail(errOverflow)
		return
	}
	c.store(args[1], strconv.Itoa(old+by))
	c.out.int(old + by)
}

func (c *fakeConn) dbsize([]string) { c.out.int(len(c.node.data)) }

// keys matches as path.Match does, which for the usual patterns is as Redis does.
func (c *fakeConn) keys(args []string) {
	var found []string
	for key := range c.node.data {
		if ok, _ := path.Match(args[1], key); ok || args[1] == "*" {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	c.out.bulks(found...)
}

func (c *fakeConn) flushall([]string) {
	for key := range c.node.data {
		c.node.setLocked(key, nil)
	}
	c.out.simple("OK")
}
