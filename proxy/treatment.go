package proxy

import (
	"fmt"
	"strings"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/dispatcher"
)

// Treatment is what the proxy does with a request, in words.
type Treatment struct {
	// Row is the request's command, nil if there is no such command.
	Row *command.Row
	// Way is to whom it goes, or that it is refused.
	Way string
	// Note says more about the way; "" if there is no more to say.
	Note string
	// Blocks says that it may block, over a connection of the session's own. If
	// the slot goes elsewhere or the connection is lost, it is sent again with what
	// is left of its time.
	Blocks bool
	// Merge is how several replies become one, "" if there is one.
	Merge string
	// Fault is the error of a request that is refused.
	Fault string
	// Nodes are the addresses of the nodes that are asked all alike.
	Nodes []string
	// Plan is the dispatcher's, for a request that it routes.
	Plan *dispatcher.Explanation
}

// What Treatment.Way says.
const (
	WayProxy        = "answered by the proxy"
	WaySlot         = "sent to the node of its slot"
	WayAny          = "sent to any primary"
	WaySplit        = "split by slot"
	WayAskKeys      = "sent when a node has told its keys"
	WayAllPrimaries = "sent to all primaries"
	WayAllNodes     = "sent to all nodes"
	WayEveryPrimary = "sent to all primaries, once"
	WayEveryNode    = "sent to all nodes, once"
	WayWaits        = "waits for keys of all its slots"
	WayWrote        = "sent to the primaries that the session wrote to, or to all"
	WayRefused      = "refused"
)

// localNotes say of commands that a handler answers what it does besides.
var localNotes = map[string]string{
	"auth":                    "a node is asked whether the password is right",
	"hello":                   "with AUTH a node is asked whether the password is right",
	"client|no-touch":         "later commands travel by connections that do not touch keys",
	"client|tracking":         "the nodes tell what has changed, over connections of the session's own; see tracking.md",
	"client|caching":          "the next command is sent with it",
	"multi":                   "what follows is queued until EXEC; see README.md",
	"exec":                    "what is queued goes to the node of its slot in one piece",
	"watch":                   "the node of the keys watches them, over a connection of the session's own",
	"keys":                    "all primaries are asked, or those that have the slot's keys if the pattern names a hash tag",
	"scan":                    "the slots are walked over in their order, each at its primary; see scan.md",
	"randomkey":               "all primaries are asked how many keys they have, and one of them for a key",
	"info":                    "all primaries are asked, and the figures of those that answer become one",
	"config|get":              "a primary is asked for what is not the proxy's own",
	"config|set":              "all nodes are told what is not the proxy's own",
	"config|resetstat":        "all nodes are told as well",
	"acl|log":                 "all nodes are asked, and their entries joined; RESET tells all",
	"role":                    "all primaries are asked",
	"lastsave":                "all primaries are asked; the least counts",
	"memory|stats":            "all primaries are asked; the figures are added up",
	"memory|doctor":           "all primaries are asked",
	"memory|malloc-stats":     "all primaries are asked",
	"latency|latest":          "all primaries are asked",
	"latency|history":         "all primaries are asked",
	"latency|doctor":          "all primaries are asked",
	"latency|graph":           "all primaries are asked",
	"latency|histogram":       "all primaries are asked; the figures are added up",
	"function|stats":          "all primaries are asked; the one that runs something answers",
	"monitor":                 "what passes this proxy is shown; a node is asked whether the user may",
	"client|list":             "a node is asked whether the user may",
	"client|kill":             "a node is asked whether the user may",
	"client|pause":            "a node is asked whether the user may",
	"client|unpause":          "a node is asked whether the user may",
	"slowlog|get":             "a node is asked whether the user may",
	"slowlog|reset":           "a node is asked whether the user may",
	"cluster|countkeysinslot": "those that have the slot's keys are asked: its owner, and where it moves to",
	"cluster|getkeysinslot":   "those that have the slot's keys are asked: its owner, and where it moves to",
	"cluster|slot-stats":      "all primaries are asked, and what they say of their slots is joined and ordered",
	"subscribe":               "one subscription at the node of the channel's slot serves all clients; see pubsub.md",
	"psubscribe":              "one subscription at the node of the pattern's slot serves all clients; see pubsub.md",
	"ssubscribe":              "one subscription at the node of the channel's slot serves all clients; see pubsub.md",
	"pubsub|channels":         "all nodes are asked, and their subscriptions joined",
	"pubsub|shardchannels":    "all nodes are asked, and their subscriptions joined",
	"pubsub|numsub":           "all nodes are asked, and their subscriptions joined",
	"pubsub|shardnumsub":      "all nodes are asked, and their subscriptions joined",
	"pubsub|numpat":           "all nodes are asked, and their subscriptions joined",
}

// Treatment says what the proxy would do with a request at this moment, to
// somebody who has said no more than this on his connection.
func (s *Server) Treatment(args [][]byte) Treatment {
	pipe := dispatcher.NewPipeline(s.d, nil, 0, s.defaultProfile())
	defer pipe.Close()
	return s.treatment(pipe, args)
}

// treatment is Treatment for the session of pipe. It makes the decisions that
// handle makes, by the same code.
func (s *Server) treatment(pipe *dispatcher.Pipeline, args [][]byte) Treatment {
	row, err := s.table.Load().Lookup(args)
	if err != nil {
		return Treatment{Way: WayRefused, Fault: err.Error()}
	}
	t := Treatment{Row: row}
	switch d := s.decide(row, args); d.way {
	case wayLocal:
		t.Way, t.Note = WayProxy, localNotes[row.Name]
	case wayRefuse:
		t.Way, t.Fault = WayRefused, d.fault
	case wayEveryPrimary:
		t.Way, t.Merge, t.Nodes = WayEveryPrimary, mergeWords[command.AllSucceeded], addresses(s.d.Shards(), onReplicasToo(row))
		if onReplicasToo(row) {
			t.Way = WayEveryNode
		}
	case wayFanOut:
		t.Way, t.Merge, t.Nodes = WayAllPrimaries, mergeWords[row.Response], addresses(s.d.Shards(), false)
		if row.Request == command.RequestAllNodes {
			t.Way, t.Nodes = WayAllNodes, addresses(s.d.Shards(), true)
		}
	case wayForward:
		t.forward(pipe.Explain(row, args))
	case wayBlock:
		if !row.HasKeys() {
			t.Way, t.Merge, t.Blocks = WayWrote, mergeWords[command.AggMin], true
			break
		}
		t.forward(pipe.ExplainBlock(row, args))
		if len(t.Plan.Parts) > 1 {
			t.Way, t.Merge, t.Blocks, t.Note = WayWaits, "", true, "the nodes tell when one changes; see waiting.md"
		} else if t.Blocks = t.Fault == ""; t.Blocks {
			t.Note = "blocks there, over a connection of the session's own"
		}
	}
	return t
}

// forward fills in what the dispatcher says.
func (t *Treatment) forward(plan dispatcher.Explanation) {
	t.Plan = &plan
	switch {
	case plan.Fault != "":
		t.Way, t.Fault = WayRefused, plan.Fault
	case plan.AskKeys:
		t.Way = WayAskKeys
	case len(plan.Parts) > 1:
		t.Way, t.Merge = WaySplit, mergeWords[t.Row.Response]
		if t.Row.Response == command.ResponseDefault {
			t.Merge = "the elements in the order of the keys"
		}
	case plan.Parts[0].Slot < 0:
		t.Way = WayAny
	default:
		t.Way = WaySlot
	}
}

// mergeWords are the response policies of commands that go to several nodes.
var mergeWords = map[command.ResponsePolicy]string{
	command.ResponseDefault: "the elements of all replies",
	command.OneSucceeded:    "the first reply that is no error",
	command.AllSucceeded:    "one of the replies, or the first error",
	command.LogicalAnd:      "the logical and",
	command.LogicalOr:       "the logical or",
	command.AggMin:          "the least number",
	command.AggMax:          "the greatest number",
	command.AggSum:          "the sum",
}

// lossWords say what becomes of a part whose connection is lost.
var lossWords = map[dispatcher.LossPlan]string{
	dispatcher.LossRepeat:      "sent again",
	dispatcher.LossCouldRepeat: "UNKNOWNRESULT; with -retry-writes=idempotent it is sent again",
	dispatcher.LossUnknown:     "UNKNOWNRESULT",
}

// Lost says what becomes of a part whose connection is lost after it was sent,
// "" if nothing is sent by the dispatcher.
func (t *Treatment) Lost() string {
	if t.Blocks {
		return lossWords[dispatcher.LossRepeat]
	}
	if t.Plan == nil || len(t.Plan.Parts) == 0 {
		return ""
	}
	return lossWords[t.Plan.Loss]
}

// lines are PROXY EXPLAIN's.
func (t *Treatment) lines(args [][]byte, prefer dispatcher.ReadPrefer) []string {
	var out []string
	add := func(name, value string) {
		if value != "" {
			out = append(out, name+": "+value)
		}
	}
	if t.Row != nil {
		add("command", t.Row.Name+access(t.Row))
	}
	add("way", t.Way)
	add("note", t.Note)
	add("error", t.Fault)
	add("nodes", strings.Join(t.Nodes, " "))
	if t.Plan != nil {
		add("keys", quoteAll(args, t.Plan.Keys))
		if t.Row.ReadOnly() && t.Fault == "" {
			add("read preference", prefer.String())
		}
		for _, part := range t.Plan.Parts {
			add("part", partWords(part, args, len(t.Plan.Parts) > 1))
		}
	}
	add("merge", t.Merge)
	add("connection lost", t.Lost())
	return out
}

func access(row *command.Row) string {
	switch {
	case row.ReadOnly():
		return ", which reads"
	case row.Write():
		return ", which writes"
	case row.MayWrite():
		return ", which may write"
	}
	return ""
}

func quoteAll(args [][]byte, indexes []int) string {
	var words []string
	for _, i := range indexes {
		words = append(words, fmt.Sprintf("%q", args[i]))
	}
	return strings.Join(words, " ")
}

func partWords(p dispatcher.PartPlan, args [][]byte, keys bool) string {
	var words []string
	if p.Slot >= 0 {
		words = append(words, fmt.Sprintf("slot %d", p.Slot))
	}
	if keys {
		words = append(words, "keys "+quoteAll(args, p.Keys))
	}
	switch {
	case p.Node == "":
		words = append(words, "waits for a node")
	case p.Replica:
		words = append(words, "to replica "+p.Node, "primary "+p.Primary)
	case p.Slot < 0:
		words = append(words, "to "+p.Node)
	default:
		words = append(words, "to primary "+p.Node)
	}
	if len(p.Replicas) > 0 {
		words = append(words, "replicas "+strings.Join(p.Replicas, " "))
	}
	if p.Moving {
		words = append(words, "the slot is moving")
	}
	if p.Wrote {
		words = append(words, "this session wrote to it")
	}
	return strings.Join(words, ", ")
}
