package dispatcher

import (
	"bytes"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// dress is how an EVALSHA is sent.
type dress uint8

const (
	dressAsked dress = iota // as the client sent it
	dressWhole              // as EVAL with the script's body
	dressBare               // as the client sent it, for he may not EVAL
)

// scripting returns the script of a command of the scripting family, if it has
// one that is known.
func (d *Dispatcher) scripting(row *command.Row, args [][]byte) *script {
	if strings.HasPrefix(row.Name, "fcall") && !d.functions.used.Load() {
		d.functions.used.Store(true)
	}
	return d.scripts.of(row, args)
}

// bySHA reports whether the part is an EVALSHA.
func (pt *part) bySHA() bool { return strings.HasPrefix(pt.req.row.Name, "evalsha") }

// dressLocked makes an EVALSHA an EVAL if the node that it is about to be sent to
// may lack the script. To send EVALSHA and to wait for NOSCRIPT would be one trip
// more, and what comes behind it would be executed before it.
func (p *Pipeline) dressLocked(pt *part) {
	node := pt.lane.Node()
	pt.losses = node.Losses()
	if pt.dress == dressAsked && pt.bySHA() && !p.d.scripts.isAt(pt.script, node) {
		pt.redress(dressWhole)
	}
}

// redress changes how an EVALSHA is sent. Nobody but the caller has the part.
func (pt *part) redress(to dress) {
	name, what := "EVALSHA", pt.script.sha
	if to == dressWhole {
		name, what = "EVAL", pt.script.body
	}
	if strings.HasSuffix(pt.req.row.Name, "_ro") {
		name += "_RO"
	}
	var parser resp.CommandParser
	parser.Limits.MaxBulkBytes = len(pt.task.Wire)
	cmd, n, err := parser.Next(pt.task.Wire)
	if err != nil || n == 0 || len(cmd.Args) < 2 {
		return // cannot be: it was parsed before
	}
	args := append([][]byte{[]byte(name), []byte(what)}, cmd.Args[2:]...)
	pt.dress, pt.task.Wire = to, resp.AppendCommandBytes(nil, args)
	if c := pt.task.WireChunk; c != nil {
		pt.task.WireChunk = nil
		c.Release()
	}
}

// Errors of scripting that the proxy acts on, as in script.c, eval.c and
// functions.c of Redis 7.
var (
	noScriptPrefix   = []byte("-NOSCRIPT No matching script")
	noPermPrefix     = []byte("-NOPERM ")
	compilePrefix    = []byte("-ERR Error compiling script")
	noFunctionPrefix = []byte("-ERR Function not found")
)

// scriptBounce tells errors of scripts and functions that a node can be helped
// out of from those that are the client's.
func (p *Pipeline) scriptBounce(pt *part, reply []byte) bounce {
	sc := pt.script
	switch {
	case pt.req.row.Family != command.FamilyScripting:
	case sc == nil:
		if bytes.HasPrefix(reply, noFunctionPrefix) && p.d.functions.mayLack(pt.lane.Node().Addr) {
			return bounceNoFunction
		}
	case bytes.HasPrefix(reply, compilePrefix):
		p.d.scripts.drop(sc) // no server would know it
	case !pt.bySHA():
	case bytes.HasPrefix(reply, noScriptPrefix):
		p.d.scripts.miss(sc, pt.lane.Node())
		if pt.dress == dressAsked {
			return bounceNoScript
		}
	case bytes.HasPrefix(reply, noPermPrefix) && pt.dress == dressWhole:
		return bounceNoScript
	}
	return bounceNone
}

// dressAgainLocked prepares a part that scriptBounce sent back for the next
// attempt.
func (pt *part) dressAgainLocked() {
	if pt.dress == dressWhole {
		pt.redress(dressBare)
	} else {
		pt.redress(dressWhole)
	}
}
