// Package command is the command table: what a server's COMMAND says of each command, and what follows from it. It
// looks a request's command up, checks its arity, finds its keys, and says by which policy a request without one
// single slot is sent and its replies are merged. Commands are data here; code exists only for the few whose keys
// stand behind options (SORT, GEORADIUS, MIGRATE, XREAD ...) and for what COMMAND does not say (Blocking, Idempotent).
//
// The package does no I/O, starts no goroutine, keeps no state between calls, and depends on the standard library only.
//
// The order of calls:
//
//	table := command.Builtin()                      // at start; from rows of three servers, newest first
//	infos, err := command.InfosFromReply(reply)     // a live server's COMMAND, as a client library decodes it
//	table = command.Builtin().Overlay(infos)        // the server's rows win, a new Table each time
//	row, err := table.Lookup(args)                  // err: the text for the client, in Redis's words
//	if row.KeyArg != 0 {                            // the hot path: one key at a fixed place
//	    key := args[row.KeyArg]
//	} else {
//	    keys, err = row.AppendKeys(keys[:0], args)  // err: ErrInvalid or ErrAskServer
//	}
//
// Tables and rows never change once made: they are shared by everybody and safe for concurrent use. Nobody writes to
// a Row or to a slice it holds. Lookup and AppendKeys keep nothing of their arguments, and allocate nothing when they
// succeed and dst has room.
//
// Policies are Row.Request and Row.Response, the request_policy and response_policy tips. A request policy without a
// response policy means that replies without keys are concatenated in any order (KEYS, SLOWLOG GET) and that those of a
// split request are put back in the order of its keys (MGET). RequestSpecial and ResponseSpecial mean that the caller
// has code for the command, by Row.Name: SCAN, RANDOMKEY, INFO, the reports of LATENCY and MEMORY, FUNCTION STATS. So
// it has for some whose tips look ordinary: WAIT and WAITAOF concern only the shards that a session wrote to, and PING,
// CLIENT SETNAME and CLIENT SETINFO are answered without any node.
//
// The built-in rows are generated from data/*.json by the program in gen (go generate).
//
// Sources: https://redis.io/docs/latest/commands/command/, .../develop/reference/key-specs/ and
// .../develop/reference/command-tips/.
package command

//go:generate go run ./gen
