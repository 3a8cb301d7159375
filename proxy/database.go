package proxy

import (
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// A cluster has one database, number 0, as CONFIG GET databases tells. Only where
// the servers say that they have more (cluster-databases of Valkey 9) a session may
// select another: its commands travel over connections of that database. Otherwise
// these commands answer as a server does that was configured so; a node would say that
// they are not allowed in cluster mode.
const (
	errNoInteger = "ERR value is not an integer or out of range"
	errIntRange  = "ERR value is out of range, value must between -2147483648 and 2147483647"
	errDBIndex   = "ERR DB index is out of range"
)

// dbIndex reads the index of a database as getIntFromObject of Redis does. text
// is what is wrong with it, "" if nothing is.
func dbIndex(arg []byte) (n int64, text string) {
	switch n, ok := integer(arg); {
	case !ok:
		return 0, errNoInteger
	case n != int64(int32(n)):
		return 0, errIntRange
	default:
		return n, ""
	}
}

// SetDatabases says how many databases the cluster has; 1 if never called. Safe at
// any time.
func (s *Server) SetDatabases(n int) { s.databases.Store(int32(max(n, 1))) }

// outOfRange reports whether there is no such database.
func (s *Server) outOfRange(db int64) bool { return db < 0 || db >= int64(s.databases.Load()) }

// selectsAnother reports whether a SELECT is of a database that there is, and that is
// not the session's.
func (s *session) selectsAnother(cmd *resp.Command) bool {
	n, fault := dbIndex(cmd.Args[1])
	return fault == "" && int(n) != s.profile.DB && !s.srv.outOfRange(n)
}

func (s *session) selectDB(row *command.Row, cmd *resp.Command) verdict {
	n, text := dbIndex(cmd.Args[1])
	switch {
	case text != "":
		return s.fail(row, text)
	case int(n) == s.profile.DB:
		return s.ok(row)
	case s.srv.outOfRange(n):
		return s.fail(row, errDBIndex)
	case s.pipe.Busy():
		return retry
	}
	profile := s.profile
	profile.DB = int(n)
	s.setProfile(profile)
	return s.ok(row)
}

// move answers MOVE where there is one database; see decide.
func (s *session) move(row *command.Row, cmd *resp.Command) verdict {
	switch n, text := dbIndex(cmd.Args[2]); {
	case text != "":
		return s.fail(row, text)
	case n != 0:
		return s.fail(row, errDBIndex)
	}
	return s.fail(row, "ERR source and destination objects are the same")
}

// swapDB swaps nothing: the nodes of a cluster cannot do it all at once, and
// refuse it.
func (s *session) swapDB(row *command.Row, cmd *resp.Command) verdict {
	first, text := dbIndex(cmd.Args[1])
	if text != "" {
		return s.fail(row, "ERR invalid first DB index")
	}
	second, text := dbIndex(cmd.Args[2])
	switch {
	case text != "":
		return s.fail(row, "ERR invalid second DB index")
	case s.srv.outOfRange(first), s.srv.outOfRange(second):
		return s.fail(row, errDBIndex)
	case first != second:
		return s.fail(row, "ERR SWAPDB is not allowed in cluster mode")
	}
	return s.ok(row)
}

// forDatabases reports whether a command that names a database is for the nodes,
// because they have several.
func (s *Server) forDatabases(row *command.Row) bool {
	return s.databases.Load() > 1 && (row.Is("move") || row.Is("copy"))
}

// databaseFault is what is wrong with the database that COPY names where there is
// one, "" if nothing is.
func databaseFault(args [][]byte) string {
	for i := 3; i+1 < len(args); i++ {
		if !is(args[i], "DB") {
			continue
		}
		i++
		switch n, text := dbIndex(args[i]); {
		case text != "":
			return text
		case n != 0:
			return errDBIndex
		}
	}
	return ""
}
