package proxy

import (
	"strings"

	"redis-cluster-proxy/command"
)

// A command that is flagged admin is about one server, and what one client does
// with it all others feel. It is denied, those of modules and of newer servers
// included, unless it is among the harmless ones below or on the list of
// -admin-commands.

// harmlessAdmin are commands, and containers for all their sub-commands, that
// are flagged admin and yet have a right answer for a client of many.
var harmlessAdmin = map[string]bool{
	"acl": true, "client": true, "config": true, "latency": true, "slowlog": true,
	"monitor":     true,
	"module|list": true, // reads
	// These speak of the one node that the proxy stands for.
	"cluster|bumpepoch": true, "cluster|count-failure-reports": true, "cluster|replicas": true, "cluster|slaves": true,
}

// denials say what a denied command would do, for the client to read. A denied
// command that is not here does what commands flagged admin do.
var denials = map[string]string{
	"bgrewriteaof": "it makes every server fork and rewrite its file",
	"bgsave":       "it makes every server fork and write its file",
	"save":         "it stops every server while it writes its file",
	"shutdown":     "it ends servers that others use as well",
	"debug":        "it can stop, slow down or crash servers that others use as well",
	"pfdebug":      "it can change how a key is stored",
	"pfselftest":   "it keeps servers busy that others use as well",
	"module":       "it changes what servers that others use as well can do",
	"cluster":      "it changes the cluster that others use as well",
	"failover":     "it changes who replicates whom",
	"replicaof":    "it changes who replicates whom",
	"slaveof":      "it changes who replicates whom",
}

// unpassable are commands that no flag allows: each makes its connection speak
// another protocol, so that no reply of the node could be told from what the node
// sends to a replica.
var unpassable = map[string]bool{"sync": true, "psync": true, "replconf": true}

// allowance is which denied commands are allowed nevertheless.
type allowance map[string]bool

// newAllowance makes one of names like "debug", "config|rewrite" and
// "debug|sleep", a container for all its sub-commands, or "all".
func newAllowance(names []string) allowance {
	a := make(allowance, len(names))
	for _, name := range names {
		a[strings.ToLower(name)] = true
	}
	return a
}

// covers reports whether the command or sub-command with this name is allowed.
func (a allowance) covers(name string) bool {
	container, _, _ := strings.Cut(name, "|")
	return a["all"] || a[name] || a[container]
}

// fullName is the row's name, and the sub-command of DEBUG, which is no
// container to the server.
func fullName(row *command.Row, args [][]byte) string {
	if row.Is("debug") && len(args) > 1 {
		return row.Name + "|" + strings.ToLower(string(args[1]))
	}
	return row.Name
}

// needsAllowance reports whether the command is denied to who was not allowed it.
func needsAllowance(row *command.Row) bool {
	container, _, _ := strings.Cut(row.Name, "|")
	if harmlessAdmin[container] || harmlessAdmin[row.Name] {
		return false
	}
	return row.Flags.Has(command.FlagAdmin)
}

// denial returns why a client may not use a command that needs an allowance,
// "" if it may.
func (s *Server) denial(row *command.Row, args [][]byte) string {
	name := fullName(row, args)
	if unpassable[name] {
		return "ERR '" + name + "' command not allowed: it makes its connection a replica's, which a proxy cannot pass on"
	}
	if s.allowed.covers(name) {
		return ""
	}
	why := denials[row.Name]
	if why == "" {
		container, _, _ := strings.Cut(row.Name, "|")
		why = denials[container]
	}
	if why == "" {
		why = "it is flagged admin"
	}
	return "ERR '" + row.Name + "' command not allowed: " + why + ". The proxy's -admin-commands=" + row.Name + " allows it"
}
