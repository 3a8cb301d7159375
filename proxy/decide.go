package proxy

import "redis-cluster-proxy/command"

// way is what a session does with a command.
type way uint8

const (
	wayForward      way = iota // the dispatcher sends it to the node of its keys, or to any if it has none
	wayLocal                   // a handler answers it
	wayFanOut                  // all shards or nodes are asked, by the policies of its row
	wayEveryPrimary            // every primary is asked, because -admin-commands says so
	wayBlock                   // it may block, over a connection of its own
	wayRefuse                  // an error answers it
)

// decision is the way of one command.
type decision struct {
	way     way
	handler handler // of wayLocal
	fault   string  // of wayRefuse
}

// decide finds the way of a command that is not on the hot path; one that is
// would be forwarded. PROXY EXPLAIN and docs/commands.md are made by it as well.
func (s *Server) decide(row *command.Row, args [][]byte) decision {
	if err := row.Unknown(args); err != nil && s.needsCluster(row, args) {
		return decision{way: wayRefuse, fault: err.Error()}
	}
	if row.Family == command.FamilyCluster && s.cfg.NoClusterEmulation && !s.version().has(takenAlone[row.Name]) {
		return decision{way: wayRefuse, fault: errNoCluster}
	}
	if s.forDatabases(row) {
		return decision{way: wayForward}
	}
	if f := localCommands[row.Name]; f != nil {
		if n := len(args); row.Arity >= 0 && n != row.Arity || n < -row.Arity {
			// Lookup leaves this to the cluster where the cluster does not
			// know the command, as Redis 7.0 does not know CLIENT SETINFO.
			return decision{way: wayRefuse, fault: "ERR wrong number of arguments for '" + row.Name + "' command"}
		}
		return decision{way: wayLocal, handler: f}
	}
	if needsAllowance(row) {
		switch fault := s.denial(row, args); {
		case fault != "":
			return decision{way: wayRefuse, fault: fault}
		case !hasKeys(row, args):
			return decision{way: wayEveryPrimary}
		}
		return decision{way: wayForward}
	}
	if fansOut(row) {
		return decision{way: wayFanOut}
	}
	if row.Blocking(args) {
		return decision{way: wayBlock}
	}
	if fault := refusal(row, args); fault != "" {
		return decision{way: wayRefuse, fault: fault}
	}
	return decision{way: wayForward}
}

// takenAlone are commands about clusters that servers take without one.
var takenAlone = map[string]since{"readonly": {valkey: 8}, "readwrite": {valkey: 8}, "cluster|keyslot": {valkey: 9.1}}

// needsServers are commands that the proxy answers itself, and only where the servers
// know them.
var needsServers = map[string]bool{
	"client|no-touch": true, "client|capa": true, "client|import-source": true,
	"commandlog|get": true, "commandlog|len": true, "commandlog|reset": true, "cluster|slot-stats": true,
}

// needsCluster reports whether the proxy cannot answer the command for servers
// that do not have it, as it does CLIENT SETINFO, and would not ask them either.
func (s *Server) needsCluster(row *command.Row, args [][]byte) bool {
	switch {
	case needsServers[row.Name], row.Family == command.FamilyCluster && s.cfg.NoClusterEmulation:
		return true
	case localCommands[row.Name] != nil:
		return false
	}
	return needsAllowance(row) || !fansOut(row) && refusal(row, args) != ""
}

// hasKeys reports whether this request has keys that it can be routed by.
func hasKeys(row *command.Row, args [][]byte) bool {
	keys, err := row.AppendKeys(nil, args)
	return err == nil && len(keys) > 0
}
