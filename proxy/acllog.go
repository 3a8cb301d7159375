package proxy

import (
	"cmp"
	"slices"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// aclLogCount is how many entries ACL LOG tells unless it is asked for another
// number.
const aclLogCount = 10

// aclLog answers ACL LOG with the entries of all nodes, the youngest first. Which
// node refused a command is where its key happens to be, so what one server would
// have counted as one entry is made one.
func (s *session) aclLog(row *command.Row, cmd *resp.Command) verdict {
	count := int64(aclLogCount)
	if len(cmd.Args) == 3 {
		if is(cmd.Args[2], "RESET") {
			all := *row
			all.Request, all.Response = command.RequestAllNodes, command.AllSucceeded
			return s.fanOut(&all, cmd)
		}
		count, _ = integer(cmd.Args[2]) // of what is no number, the nodes say so
	}
	return s.gatherFrom(row, cmd, true, func(values []nodeValue, _ resp.Proto) []byte {
		return gatherACLLog(values, count)
	})
}

// aclEntry is an entry of ACL LOG.
type aclEntry struct {
	fields nodeValue
	age    float64 // seconds
}

// aclGrouping is for how many seconds Redis counts what is alike as one entry,
// ACL_LOG_GROUPING_MAX_TIME_DELTA of its acl.c.
const aclGrouping = 60

func gatherACLLog(values []nodeValue, count int64) []byte {
	var all []aclEntry
	for _, v := range values {
		for _, e := range v.Elems {
			entry := aclEntry{fields: nodeValue{v.addr, e}}
			if age := entry.fields.entry("age-seconds"); age != nil {
				entry.age = cmp.Or(age.Float, number(age.Str))
			}
			all = append(all, entry)
		}
	}
	slices.SortStableFunc(all, func(a, b aclEntry) int { return cmp.Compare(a.age, b.age) })
	var merged []aclEntry
	for _, e := range all {
		if i := slices.IndexFunc(merged, func(m aclEntry) bool { return m.covers(&e) }); i < 0 {
			merged = append(merged, e)
		} else if sum, n := merged[i].fields.entry("count"), e.fields.entry("count"); sum != nil && n != nil {
			sum.Int += n.Int
		}
	}
	merged = merged[:min(int64(len(merged)), max(count, 0))]
	b := resp.AppendArrayHeader(nil, len(merged))
	for i := range merged {
		b = appendValue(b, &merged[i].fields.Value)
	}
	return b
}

// covers reports whether one server would have counted an older entry as m.
func (m *aclEntry) covers(older *aclEntry) bool {
	for _, name := range []string{"reason", "context", "object", "username"} {
		a, b := m.fields.entry(name), older.fields.entry(name)
		if a == nil || b == nil || a.Str != b.Str {
			return false
		}
	}
	return older.age-m.age <= aclGrouping
}
