package redistest

import (
	"slices"
	"strings"
)

// fakeCommand is a command that fake nodes know: a row of COMMAND, and what it does. One of its flags is not Redis's own
// and not shown: "ends_multi", for what is executed inside MULTI rather than queued.
type fakeCommand struct {
	name              string
	arity             int
	flags             []string
	first, last, step int
	run               func(c *fakeConn, args []string) // the cluster's lock is held
}

func (cmd *fakeCommand) has(flag string) bool { return slices.Contains(cmd.flags, flag) }

// keys returns the keys among args.
func (cmd *fakeCommand) keys(args []string) []string {
	if cmd.first == 0 {
		return nil
	}
	last := cmd.last
	if last < 0 {
		last += len(args)
	}
	var keys []string
	for i := cmd.first; i <= last && i < len(args); i += cmd.step {
		keys = append(keys, args[i])
	}
	return keys
}

// fakeCommands is the table of all commands. Besides those of Redis there are two for tests of order: "fake.read key id"
// and "fake.write key id" answer with the id they are given; the second counts as a write of the key, and stores the id.
func fakeCommands() map[string]*fakeCommand {
	const one, all = 1, -1
	rows := []*fakeCommand{
		{"get", 2, flags("readonly fast"), 1, one, 1, (*fakeConn).get},
		{"strlen", 2, flags("readonly fast"), 1, one, 1, (*fakeConn).strlen},
		{"mget", -2, flags("readonly fast"), 1, all, 1, (*fakeConn).mget},
		{"exists", -2, flags("readonly fast"), 1, all, 1, (*fakeConn).exists},
		{"touch", -2, flags("readonly fast"), 1, all, 1, (*fakeConn).exists},
		{"type", 2, flags("readonly fast"), 1, one, 1, (*fakeConn).typeOf},
		{"fake.read", 3, flags("readonly fast"), 1, one, 1, (*fakeConn).fakeRead},
		{"fake.write", 3, flags("write fast"), 1, one, 1, (*fakeConn).fakeWrite},
		{"set", -3, flags("write denyoom"), 1, one, 1, (*fakeConn).set},
		{"setnx", 3, flags("write denyoom fast"), 1, one, 1, (*fakeConn).setnx},
		{"getset", 3, flags("write denyoom fast"), 1, one, 1, (*fakeConn).getset},
		{"getdel", 2, flags("write fast"), 1, one, 1, (*fakeConn).getdel},
		{"mset", -3, flags("write denyoom"), 1, all, 2, (*fakeConn).mset},
		{"del", -2, flags("write"), 1, all, 1, (*fakeConn).del},
		{"unlink", -2, flags("write fast"), 1, all, 1, (*fakeConn).del},
		{"append", 3, flags("write denyoom fast"), 1, one, 1, (*fakeConn).append},
		{"incr", 2, flags("write denyoom fast"), 1, one, 1, (*fakeConn).incr},
		{"decr", 2, flags("write denyoom fast"), 1, one, 1, (*fakeConn).incr},
		{"incrby", 3, flags("write denyoom fast"), 1, one, 1, (*fakeConn).incr},
		{"dbsize", 1, flags("readonly fast"), 0, 0, 0, (*fakeConn).dbsize},
		{"keys", 2, flags("readonly"), 0, 0, 0, (*fakeConn).keys},
		{"flushall", -1, flags("write"), 0, 0, 0, (*fakeConn).flushall},
		{"watch", -2, flags("noscript loading stale fast no_multi ends_multi"), 1, all, 1, (*fakeConn).watch},
		{"unwatch", 1, flags("noscript loading stale fast"), 0, 0, 0, (*fakeConn).unwatch},
		{"multi", 1, flags("noscript loading stale fast no_multi ends_multi"), 0, 0, 0, (*fakeConn).multi},
		{"exec", 1, flags("noscript loading stale ends_multi"), 0, 0, 0, (*fakeConn).exec},
		{"discard", 1, flags("noscript loading stale fast ends_multi"), 0, 0, 0, (*fakeConn).discard},
		{"ping", -1, flags("fast"), 0, 0, 0, (*fakeConn).ping},
		{"echo", 2, flags("loading stale fast"), 0, 0, 0, (*fakeConn).echo},
		{"hello", -1, flags("noscript loading stale fast no_auth"), 0, 0, 0, (*fakeConn).hello},
		{"auth", -2, flags("noscript loading stale fast no_auth"), 0, 0, 0, (*fakeConn).auth},
		{"reset", 1, flags("noscript loading stale fast no_auth ends_multi"), 0, 0, 0, (*fakeConn).resetCommand},
		{"quit", -1, flags("noscript loading stale fast no_auth ends_multi"), 0, 0, 0, (*fakeConn).quitCommand},
		{"select", 2, flags("loading stale fast"), 0, 0, 0, (*fakeConn).selectCommand},
		{"client", -2, flags("noscript loading stale"), 0, 0, 0, (*fakeConn).client},
		{"readonly", 1, flags("loading stale fast"), 0, 0, 0, (*fakeConn).setReadonly},
		{"readwrite", 1, flags("loading stale fast"), 0, 0, 0, (*fakeConn).setReadonly},
		{"asking", 1, flags("fast"), 0, 0, 0, (*fakeConn).setAsking},
		{"command", -1, flags("loading stale"), 0, 0, 0, (*fakeConn).commandCommand},
		{"cluster", -2, flags("stale"), 0, 0, 0, (*fakeConn).clusterCommand},
		{"info", -1, flags("loading stale"), 0, 0, 0, (*fakeConn).info},
		{"role", 1, flags("noscript loading stale fast"), 0, 0, 0, (*fakeConn).role},
		{"wait", 3, flags("noscript"), 0, 0, 0, (*fakeConn).waitCommand},
		{"config", -2, flags("admin noscript loading stale"), 0, 0, 0, (*fakeConn).config},
	}
	table := map[string]*fakeCommand{}
	for _, row := range rows {
		table[row.name] = row
	}
	return table
}

func flags(text string) []string { return strings.Fields(text) }
