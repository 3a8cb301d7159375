package proxy

import (
	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// A cluster has one database, number 0, as CONFIG GET databases tells. These
// commands answer as a server does that was configured so; a node would say that
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

func (s *session) selectDB(row *command.Row, cmd *resp.Command) verdict {
	switch n, text := dbIndex(cmd.Args[1]); {
	case text != "":
		return s.fail(row, text)
	case n != 0:
		return s.fail(row, errDBIndex)
	}
	return s.ok(row)
}

func (s *session) move(row *command.Row, cmd *resp.Command) verdict {
	switch n, text := dbIndex(cmd.Args[2]); {
	case text != "":
		return s.fail(row, text)
	case n != 0:
		return s.fail(row, errDBIndex)
	}
	return s.fail(row, "ERR source and destination objects are the same")
}

func (s *session) swapDB(row *command.Row, cmd *resp.Command) verdict {
	first, text := dbIndex(cmd.Args[1])
	if text != "" {
		return s.fail(row, "ERR invalid first DB index")
	}
	second, text := dbIndex(cmd.Args[2])
	if text != "" {
		return s.fail(row, "ERR invalid second DB index")
	}
	if first != 0 || second != 0 {
		return s.fail(row, errDBIndex)
	}
	return s.ok(row)
}

// databaseFault is what is wrong with the database that COPY names, "" if
// nothing is.
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
