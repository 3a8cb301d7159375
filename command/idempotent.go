package command

// repeatable tells of a write, by its arguments, that to execute it twice in a row leaves what executing it once
// leaves.
type repeatable func(args [][]byte) bool

func always([][]byte) bool { return true }

// repeatables are the writes that may be sent again when it is not known whether they were executed. The second reply
// may count less than the first one would have (DEL: 0 for 1); it is never wrong about what is stored. Absent on
// purpose: what depends on the state it changes (INCR, APPEND, LPUSH, SPOP, SETNX, RENAME, ZUNIONSTORE onto one of its
// sources), what speaks of positions (LSET, LTRIM, ZREMRANGEBYRANK), and what returns the old value (GETSET, GETDEL,
// SETBIT).
var repeatables = map[string]repeatable{
	"set":      setRepeatable, // stores the value, whatever was there
	"setex":    always,        // likewise; the time to live starts anew
	"psetex":   always,        // likewise
	"mset":     always,        // likewise, for each key
	"setrange": always,        // stores the same bytes at the same offset, and replies with the same length
	"getex":    always,        // returns the value and sets the time to live

	"del":    always, // the keys are gone; the count may be less
	"unlink": always, // likewise

	"expire":    expireRepeatable, // the time to live starts anew
	"pexpire":   expireRepeatable, // likewise
	"expireat":  expireRepeatable, // the same point in time
	"pexpireat": expireRepeatable, // likewise
	"persist":   always,           // no time to live; the reply may be 0 for 1

	"hset":  always, // the fields hold the values; the count may be less
	"hmset": always, // likewise
	"hdel":  always, // the fields are gone; the count may be less

	"sadd":        always, // the members are in; the count may be less
	"srem":        always, // the members are gone; the count may be less
	"sdiffstore":  always, // the result is the same, also if the destination is a source
	"sinterstore": always, // likewise
	"sunionstore": always, // likewise

	"zadd":             zaddRepeatable, // the members have the scores; the count may be less
	"geoadd":           zaddRepeatable, // the members have the positions; the count may be less
	"zrem":             always,         // the members are gone; the count may be less
	"zremrangebyscore": always,         // likewise
	"zremrangebylex":   always,         // likewise

	"pfadd":   always, // the elements are counted once; the reply may be 0 for 1
	"pfmerge": always, // the union is the same

	"xdel": always, // the entries are gone; the count may be less
	"xack": always, // the entries are acknowledged; the count may be less
}

// Idempotent reports whether this request may be sent again when its connection was lost after it had been sent:
// executed once more it leaves the same data and gives a reply as good. So are all that only read.
func (r *Row) Idempotent(args [][]byte) bool {
	if r.ReadOnly() {
		return true
	}
	check := repeatables[r.Name]
	return check != nil && check(args)
}

// setRepeatable: a condition (NX, XX, or one of a newer server) would be judged by the outcome of the first time, and
// GET would return the new value. So only options known to be harmless pass.
func setRepeatable(args [][]byte) bool {
	for i := 3; i < len(args); i++ {
		switch {
		case equalFold(args[i], "keepttl"):
		case equalFold(args[i], "ex"), equalFold(args[i], "px"), equalFold(args[i], "exat"), equalFold(args[i], "pxat"):
			i++
		default:
			return false
		}
	}
	return true
}

// expireRepeatable: the conditions NX, XX, GT and LT would be judged by the outcome of the first time.
func expireRepeatable(args [][]byte) bool { return len(args) == 3 }

// zaddRepeatable: without options, of which CH is harmless; INCR adds up, and conditions are judged anew.
func zaddRepeatable(args [][]byte) bool {
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "ch"):
		case equalFold(args[i], "nx"), equalFold(args[i], "xx"), equalFold(args[i], "gt"), equalFold(args[i], "lt"),
			equalFold(args[i], "incr"):
			return false
		default:
			return true // the first score: members may be called anything
		}
	}
	return true
}
