package command

// Flags is the set of a command's flags, one bit for each name in the flags column of COMMAND. Names that are not
// listed here are ignored: nothing in this project depends on them.
type Flags uint64

// The flags of Redis 7 and its successors, in the words of COMMAND.
const (
	FlagWrite                Flags = 1 << iota // write: may change the keyspace
	FlagReadonly                               // readonly: reads keys, may go to a replica
	FlagDenyOOM                                // denyoom: refused when memory is exhausted
	FlagAdmin                                  // admin
	FlagPubSub                                 // pubsub
	FlagNoScript                               // noscript: not from scripts
	FlagBlocking                               // blocking: may block its connection
	FlagLoading                                // loading: served while loading
	FlagStale                                  // stale: served by a stale replica
	FlagSkipMonitor                            // skip_monitor
	FlagSkipSlowlog                            // skip_slowlog
	FlagAsking                                 // asking: works on an importing slot without ASKING
	FlagFast                                   // fast
	FlagNoAuth                                 // no_auth: served before AUTH
	FlagMayReplicate                           // may_replicate: replicates though it is no write (PUBLISH, EVAL)
	FlagNoMandatoryKeys                        // no_mandatory_keys: may be sent without any key (EVAL ... 0)
	FlagMovableKeys                            // movablekeys: first, last and step do not tell where the keys are
	FlagNoMulti                                // no_multi: not inside MULTI
	FlagAllowBusy                              // allow_busy: served while a script is running
	FlagNoAsyncLoading                         // no_async_loading
	FlagModule                                 // module: implemented by a module
	FlagTouchesArbitraryKeys                   // touches_arbitrary_keys: keys are found by the command itself (SCAN)
)

var flagByName = map[string]Flags{
	"write":                  FlagWrite,
	"readonly":               FlagReadonly,
	"denyoom":                FlagDenyOOM,
	"admin":                  FlagAdmin,
	"pubsub":                 FlagPubSub,
	"noscript":               FlagNoScript,
	"blocking":               FlagBlocking,
	"loading":                FlagLoading,
	"stale":                  FlagStale,
	"skip_monitor":           FlagSkipMonitor,
	"skip_slowlog":           FlagSkipSlowlog,
	"asking":                 FlagAsking,
	"fast":                   FlagFast,
	"no_auth":                FlagNoAuth,
	"may_replicate":          FlagMayReplicate,
	"no_mandatory_keys":      FlagNoMandatoryKeys,
	"movablekeys":            FlagMovableKeys,
	"no_multi":               FlagNoMulti,
	"allow_busy":             FlagAllowBusy,
	"no_async_loading":       FlagNoAsyncLoading,
	"module":                 FlagModule,
	"touches_arbitrary_keys": FlagTouchesArbitraryKeys,
}

// sinceSeven are the flags that servers older than 7 know nothing of, though their commands are of that kind: BLPOP
// is not flagged blocking there. Overlay takes them from the built-in row.
const sinceSeven = FlagBlocking | FlagNoAuth | FlagMayReplicate | FlagNoMandatoryKeys | FlagNoMulti | FlagAllowBusy |
	FlagNoAsyncLoading | FlagTouchesArbitraryKeys

func parseFlags(names []string) Flags {
	var f Flags
	for _, name := range names {
		f |= flagByName[name]
	}
	return f
}

// Has reports whether all flags of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }
