package redistest

// call is a command with its arguments.
type call struct {
	cmd  *fakeCommand
	args []string
}

// transaction is what a connection has queued since MULTI.
type transaction struct {
	calls   []call
	aborted bool
}

func (t *transaction) add(cmd *fakeCommand, args []string) {
	t.calls = append(t.calls, call{cmd, args})
}

// keysOf returns the keys of calls, and whether they only read.
func keysOf(calls []call) (keys []string, readonly bool) {
	readonly = true
	for _, one := range calls {
		keys = append(keys, one.cmd.keys(one.args)...)
		readonly = readonly && !one.cmd.has("write")
	}
	return keys, readonly
}

// abort is what a refused command does to the transaction: EXEC itself ends it, others make EXEC fail.
func (c *fakeConn) abort(name string) {
	if c.queue == nil {
		return
	}
	if name == "exec" {
		c.queue, c.watched = nil, nil
		return
	}
	c.queue.aborted = true
}

func (c *fakeConn) multi([]string) {
	if c.queue != nil {
		c.fail("ERR MULTI calls can not be nested")
		return
	}
	c.queue = &transaction{}
	c.out.simple("OK")
}

func (c *fakeConn) discard([]string) {
	if c.queue == nil {
		c.fail("ERR DISCARD without MULTI")
		return
	}
	c.queue, c.watched = nil, nil
	c.out.simple("OK")
}

func (c *fakeConn) exec([]string) {
	q, watched := c.queue, c.watched
	if q == nil {
		c.fail("ERR EXEC without MULTI")
		return
	}
	c.queue, c.watched = nil, nil
	if q.aborted {
		c.fail("EXECABORT Transaction discarded because of previous errors.")
		return
	}
	for key, version := range watched {
		if c.node.cluster.version[key] != version {
			c.out.nullArray()
			return
		}
	}
	c.out.array(len(q.calls))
	for _, one := range q.calls {
		c.callLocked(one.cmd, one.args, true)
	}
}

func (c *fakeConn) watch(args []string) {
	if c.queue != nil {
		c.fail("ERR WATCH inside MULTI is not allowed")
		return
	}
	if c.watched == nil {
		c.watched = map[string]int{}
	}
	for _, key := range args[1:] {
		if _, ok := c.watched[key]; !ok {
			c.watched[key] = c.node.cluster.version[key]
		}
	}
	c.out.simple("OK")
}

func (c *fakeConn) unwatch([]string) {
	c.watched = nil
	c.out.simple("OK")
}
