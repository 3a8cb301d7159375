package command

import "strings"

// RequestPolicy says which nodes a request goes to when it is not simply the node of its keys' slot: the
// request_policy tip.
type RequestPolicy uint8

// The request policies of https://redis.io/docs/latest/develop/reference/command-tips/.
const (
	RequestDefault    RequestPolicy = iota // the slot of the keys; any one node if there are none
	RequestAllNodes                        // every node, replicas as well
	RequestAllShards                       // every primary
	RequestMultiShard                      // split by the slots of the keys, see Row.Split
	RequestSpecial                         // none of these: the caller knows the command by name
)

var requestNames = [...]string{"default", "all_nodes", "all_shards", "multi_shard", "special"}

// String is the policy's name in the tip, "default" for RequestDefault.
func (p RequestPolicy) String() string {
	if int(p) < len(requestNames) {
		return requestNames[p]
	}
	return "unknown"
}

// ResponsePolicy says how the replies of several nodes become one: the response_policy tip.
type ResponsePolicy uint8

// The response policies of https://redis.io/docs/latest/develop/reference/command-tips/.
const (
	ResponseDefault ResponsePolicy = iota // concatenated; in the order of the keys if there are keys
	OneSucceeded                          // the first that is no error; an error only if all are
	AllSucceeded                          // any one of them, or an error if one is
	LogicalAnd                            // integers, or arrays of them element by element: the logical and
	LogicalOr                             // likewise: the logical or
	AggMin                                // integers: the least
	AggMax                                // integers: the greatest
	AggSum                                // integers: the sum
	ResponseSpecial                       // none of these: the caller knows the command by name
)

var responseNames = [...]string{"default", "one_succeeded", "all_succeeded", "agg_logical_and", "agg_logical_or",
	"agg_min", "agg_max", "agg_sum", "special"}

// String is the policy's name in the tip, "default" for ResponseDefault.
func (p ResponsePolicy) String() string {
	if int(p) < len(responseNames) {
		return responseNames[p]
	}
	return "unknown"
}

// parsePolicies reads the two policies out of a command's tips. A value that is not known is special: a policy that
// is not understood must not be taken for the default one.
func parsePolicies(tips []string) (req RequestPolicy, resp ResponsePolicy) {
	for _, tip := range tips {
		if name, ok := strings.CutPrefix(tip, "request_policy:"); ok {
			req = RequestSpecial
			for i, known := range requestNames {
				if name == known {
					req = RequestPolicy(i)
				}
			}
		}
		if name, ok := strings.CutPrefix(tip, "response_policy:"); ok {
			resp = ResponseSpecial
			for i, known := range responseNames {
				if name == known {
					resp = ResponsePolicy(i)
				}
			}
		}
	}
	return req, resp
}
