package proxy

import (
	"strings"

	"redis-cluster-proxy/command"
)

// plainMask are the flags of commands that may need more than to be forwarded
// to the node of their keys.
const plainMask = command.FlagBlocking | command.FlagPubSub | command.FlagAdmin | command.FlagNoMulti

// onHotPath reports whether requests of this row are forwarded without another
// question: plain commands with one key.
func onHotPath(row *command.Row) bool { return row.KeyArg != 0 && row.Flags&plainMask == 0 }

// forwardable are commands without keys that any one node answers right.
var forwardable = map[string]bool{
	"command": true, "lolwut": true,
	"module|list": true, "acl|cat": true, "acl|dryrun": true, "acl|genpass": true, "acl|getuser": true, "acl|list": true,
	"acl|users": true, "acl|whoami": true,
	"function|dump": true, "function|list": true,
	"publish": true, "spublish": true,
	"eval": true, "evalsha": true, "eval_ro": true, "evalsha_ro": true, "fcall": true, "fcall_ro": true,
}

// refusal returns why the command cannot be forwarded, "" if it can. A command
// that would need several nodes, a connection of its own or the server's state is
// refused, not sent to a node of chance.
func refusal(row *command.Row, args [][]byte) string {
	container, sub, _ := strings.Cut(row.Name, "|")
	switch {
	case container == "command", sub == "help", forwardable[row.Name]:
		return ""
	case row.Is("copy"):
		return databaseFault(args)
	case row.Flags&(command.FlagPubSub|command.FlagAdmin) != 0,
		row.Family == command.FamilyTransactions,
		row.Family == command.FamilyConnection,
		row.Family == command.FamilyCluster,
		!row.HasKeys():
		return "ERR this proxy does not support the command '" + row.Name + "'"
	}
	return ""
}
