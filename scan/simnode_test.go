package scan

import (
	"fmt"
	"math/bits"
	"sort"
	"strconv"
	"strings"

	"redis-cluster-proxy/resp"
)

// simNode is a server of a simulated cluster, one that knows what a walk asks.
type simNode struct {
	c       *simCluster
	addr    string
	id      string
	down    bool
	slotted bool
	version string
	runID   string // changes when the process does, and with it the seed
	grown   int    // tables are 2^grown times as large as need be

	own     [numSlots]bool
	runs    string // own as CLUSTER NODES has it; "": to be made anew
	leaving map[int]*simNode
	coming  map[int]*simNode
	keys    map[int]map[string]string // type by slot and key
	hashes  map[string]uint64         // of the process
}

func (n *simNode) size() (size int) {
	for _, keys := range n.keys {
		size += len(keys)
	}
	return size
}

func (n *simNode) put(key, kind string) {
	slot := simSlot(key)
	if n.keys[slot] == nil {
		n.keys[slot] = map[string]string{}
	}
	n.keys[slot][key] = kind
}

// bucket is where the process keeps a key: each has a seed of its own.
func (n *simNode) bucket(key string) uint64 {
	h, ok := n.hashes[key]
	if !ok {
		h = spread([]byte(n.runID + key))
		n.hashes[key] = h
	}
	return h
}

// simDict is a dictionary at the moment of a SCAN.
type simDict struct {
	mask    uint64
	buckets map[uint64][]string
}

func (n *simNode) dict(keys []string) *simDict {
	d := &simDict{mask: uint64(4)<<n.grown - 1, buckets: map[uint64][]string{}}
	for int(d.mask) < len(keys) {
		d.mask = d.mask<<1 | 1
	}
	for _, key := range keys {
		b := n.bucket(key) & d.mask
		d.buckets[b] = append(d.buckets[b], key)
	}
	return d
}

// scan is dictScan of Redis's dict.c.
func (d *simDict) scan(cursor uint64, visit func(string)) uint64 {
	for _, key := range d.buckets[cursor&d.mask] {
		visit(key)
	}
	return bits.Reverse64(bits.Reverse64(cursor|^d.mask) + 1)
}

func (n *simNode) sorted(slot int) []string {
	var keys []string
	for key := range n.keys[slot] {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func (n *simNode) all() []string {
	var keys []string
	for _, slot := range n.keys {
		for key := range slot {
			keys = append(keys, key)
		}
	}
	return keys
}

// scan is SCAN of a server of the node's kind.
func (n *simNode) scan(args []string) []byte {
	cursor, _ := strconv.ParseUint(args[1], 10, 64)
	count, match, kind := 10, "", ""
	for i := 2; i+1 < len(args); i += 2 {
		switch args[i] {
		case "COUNT":
			count, _ = strconv.Atoi(args[i+1])
		case "MATCH":
			match = args[i+1]
		case "TYPE":
			kind = args[i+1]
		}
	}
	var out []string
	seen := 0
	visit := func(key string) {
		seen++
		if t := n.keys[simSlot(key)][key]; t != expired && (kind == "" || strings.EqualFold(kind, t)) && (match == "" || matches([]byte(match), []byte(key))) {
			out = append(out, key)
		}
	}
	dicts := map[int]*simDict{}
	if !n.slotted {
		dicts[0] = n.dict(n.all())
	}
	for i := 0; ; i++ {
		if n.slotted {
			cursor = n.scanSlots(cursor, dicts, visit)
		} else {
			cursor = dicts[0].scan(cursor, visit)
		}
		if cursor == 0 || i >= 10*count || seen >= count {
			break
		}
	}
	b := resp.AppendArrayHeader(nil, 2)
	b = resp.AppendBulkString(b, strconv.FormatUint(cursor, 10))
	return appendStrings(b, out)
}

// scanSlots is kvstoreScan of Valkey's kvstore.c.
func (n *simNode) scanSlots(cursor uint64, dicts map[int]*simDict, visit func(string)) uint64 {
	slot, place := int(cursor%numSlots), cursor>>slotBits
	if len(n.keys[slot]) > 0 {
		if dicts[slot] == nil {
			dicts[slot] = n.dict(n.sorted(slot))
		}
		if place = dicts[slot].scan(place, visit); place != 0 {
			return place<<slotBits | uint64(slot)
		}
	}
	for slot++; slot < numSlots; slot++ {
		if len(n.keys[slot]) > 0 {
			return uint64(slot)
		}
	}
	return 0
}

func appendStrings(b []byte, list []string) []byte {
	b = resp.AppendArrayHeader(b, len(list))
	for _, s := range list {
		b = resp.AppendBulkString(b, s)
	}
	return b
}

// nodes is CLUSTER NODES.
func (n *simNode) nodes() string {
	var b strings.Builder
	for _, o := range n.c.nodes {
		flags := "master"
		if o == n {
			flags = "myself,master"
		}
		fmt.Fprintf(&b, "%s %s@1 %s - 0 0 1 connected", o.id, o.addr, flags)
		if o.runs == "" {
			o.runs = o.makeRuns()
		}
		b.WriteString(o.runs)
		if o == n {
			for slot, to := range n.leaving {
				fmt.Fprintf(&b, " [%d->-%s]", slot, to.id)
			}
			for slot, from := range n.coming {
				fmt.Fprintf(&b, " [%d-<-%s]", slot, from.id)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (n *simNode) makeRuns() string {
	var b strings.Builder
	begin := -1
	for slot := 0; slot <= numSlots; slot++ {
		switch {
		case slot < numSlots && n.own[slot]:
			if begin < 0 {
				begin = slot
			}
		case begin >= 0 && begin == slot-1:
			fmt.Fprintf(&b, " %d", begin)
			begin = -1
		case begin >= 0:
			fmt.Fprintf(&b, " %d-%d", begin, slot-1)
			begin = -1
		}
	}
	return b.String()
}

// give changes whether the node owns the slot.
func (n *simNode) give(slot int, own bool) { n.own[slot], n.runs = own, "" }

// keyed answers EXISTS and TYPE.
func (n *simNode) keyed(args []string, asking bool) []byte {
	slot := simSlot(args[1])
	there := 0
	for _, key := range args[1:] {
		if _, ok := n.keys[slot][key]; ok {
			there++
		}
	}
	missing := len(args) - 1 - there
	switch {
	case !n.own[slot] && (n.coming[slot] == nil || !asking):
		return []byte("-MOVED " + strconv.Itoa(slot) + " elsewhere:1\r\n")
	case missing > 0 && len(args) > 2 && (n.leaving[slot] != nil || !n.own[slot]):
		return []byte("-TRYAGAIN Multiple keys request during rehashing of slot\r\n")
	case missing > 0 && n.leaving[slot] != nil:
		return []byte("-ASK " + strconv.Itoa(slot) + " elsewhere:1\r\n")
	case args[0] == "TYPE":
		kind := n.keys[slot][args[1]]
		if kind == "" || kind == expired {
			kind = "none"
		}
		return []byte("+" + kind + "\r\n")
	}
	for _, key := range args[1:] {
		if n.keys[slot][key] == expired {
			there--
		}
	}
	return resp.AppendInt(nil, int64(there))
}

// expired is the type of a key that has expired and is not deleted yet.
const expired = "expired"

// answer executes one command outside of a transaction.
func (n *simNode) answer(args []string, asking bool) []byte {
	switch args[0] {
	case "PING":
		return []byte("+PONG\r\n")
	case "INFO":
		if args[1] == "keyspace" {
			expires := 0
			for _, keys := range n.keys {
				for _, kind := range keys {
					if kind == expired {
						expires++
					}
				}
			}
			return resp.AppendBulkString(nil, fmt.Sprintf("# Keyspace\r\ndb0:keys=%d,expires=%d,avg_ttl=0\r\n", n.size(), expires))
		}
		return resp.AppendBulkString(nil, "# Server\r\nredis_version:"+n.version+"\r\nrun_id:"+n.runID+"\r\n")
	case "DBSIZE":
		return resp.AppendInt(nil, int64(n.size()))
	case "SCAN":
		return n.scan(args)
	case "MEMORY":
		return n.keyed(args[1:], asking)
	case "EXISTS", "TYPE":
		return n.keyed(args, asking)
	case "CLUSTER":
		switch args[1] {
		case "NODES":
			return resp.AppendBulkString(nil, n.nodes())
		case "COUNTKEYSINSLOT":
			slot, _ := strconv.Atoi(args[2])
			return resp.AppendInt(nil, int64(len(n.keys[slot])))
		case "GETKEYSINSLOT":
			slot, _ := strconv.Atoi(args[2])
			limit, _ := strconv.Atoi(args[3])
			keys := n.sorted(slot)
			return appendStrings(nil, keys[:min(limit, len(keys))])
		}
	}
	return []byte("-ERR unknown command " + args[0] + "\r\n")
}
