package command

import (
	"slices"
	"strings"
)

// Family is what a command is about, for metrics and pages: a small fixed set, made from its ACL categories.
type Family uint8

// The families, in the order of the groups of the Redis documentation.
const (
	FamilyOther  Family = iota // nothing else fits
	FamilyString               // @string
	FamilyHash                 // @hash
	FamilyList                 // @list
	FamilySet                  // @set
	FamilySortedSet
	FamilyStream
	FamilyBitmap
	FamilyHyperLogLog
	FamilyGeo
	FamilyGeneric // @keyspace: on keys of any type, or on several types (SORT)
	FamilyScripting
	FamilyPubSub
	FamilyTransactions
	FamilyConnection
	FamilyServer
	FamilyCluster
	FamilyModule            // any command of a module
	NumFamilies  int = iota // how many there are; a Family is an index below it
)

var familyNames = [NumFamilies]string{"other", "string", "hash", "list", "set", "sortedset", "stream", "bitmap",
	"hyperloglog", "geo", "generic", "scripting", "pubsub", "transactions", "connection", "server", "cluster", "module"}

// String is the family's name in lower case, fit for a metric's label.
func (f Family) String() string {
	if int(f) < NumFamilies {
		return familyNames[f]
	}
	return familyNames[FamilyOther]
}

var familyByCategory = map[string]Family{
	"@string": FamilyString, "@hash": FamilyHash, "@list": FamilyList, "@set": FamilySet,
	"@sortedset": FamilySortedSet, "@stream": FamilyStream, "@bitmap": FamilyBitmap,
	"@hyperloglog": FamilyHyperLogLog, "@geo": FamilyGeo, "@keyspace": FamilyGeneric, "@scripting": FamilyScripting,
	"@pubsub": FamilyPubSub, "@transaction": FamilyTransactions, "@connection": FamilyConnection,
}

// familyByName holds the commands (containers stand for all their sub-commands) whose categories do not tell.
var familyByName = map[string]Family{
	"asking": FamilyCluster, "cluster": FamilyCluster, "readonly": FamilyCluster, "readwrite": FamilyCluster,
	"client": FamilyConnection, "command": FamilyServer,
	"dbsize": FamilyServer, "flushall": FamilyServer, "flushdb": FamilyServer, "swapdb": FamilyServer,
	"acl": FamilyServer, "config": FamilyServer, "debug": FamilyServer, "info": FamilyServer, "latency": FamilyServer,
	"lolwut": FamilyServer, "memory": FamilyServer, "module": FamilyServer, "slowlog": FamilyServer, "time": FamilyServer,
	"function": FamilyScripting, "script": FamilyScripting,
	"object": FamilyGeneric, "wait": FamilyGeneric, "waitaof": FamilyGeneric,
	"pubsub": FamilyPubSub, "xgroup": FamilyStream, "xinfo": FamilyStream,
}

// familyOf decides by name, then by module, then by the one category that names a family; a command of several such
// categories works on keys of several types.
func familyOf(name string, flags Flags, categories []string) Family {
	container, _, _ := strings.Cut(name, "|")
	if f, ok := familyByName[container]; ok {
		return f
	}
	if flags.Has(FlagModule) || strings.Contains(name, ".") {
		return FamilyModule
	}
	family := FamilyOther
	for _, category := range categories {
		f, ok := familyByCategory[category]
		switch {
		case !ok:
		case f == FamilyGeneric, family != FamilyOther && family != f:
			return FamilyGeneric
		default:
			family = f
		}
	}
	if family == FamilyOther && slices.Contains(categories, "@dangerous") {
		return FamilyServer
	}
	return family
}
