package command

// overrides corrects rows that are known to be wrong, in every table, whatever the server says of them.
var overrides = map[string]func(*Row){
	// Redis 7.0 tips multi_shard, yet MSETNX sets all keys or none; Redis 7.2 took the tip away.
	"msetnx": func(r *Row) { r.Request, r.Response = RequestDefault, ResponseDefault },

	// Redis 7.0 tips all_succeeded, yet the reply is how many event series were reset; later tips are agg_sum.
	"latency|reset": func(r *Row) { r.Response = AggSum },

	// Redis 7.0 forgets the response policy, yet a key of each shard is not what was asked for; later tips are special.
	"randomkey": func(r *Row) { r.Response = ResponseSpecial },

	// Redis tips ACL SAVE, which goes with it, and not ACL LOAD; users who are not the same at all nodes help nobody.
	"acl|load": func(r *Row) { r.Request, r.Response = RequestAllNodes, AllSucceeded },

	// Valkey tips nothing; which nodes have a script is a matter of chance.
	"script|show": func(r *Row) { r.Request, r.Response = RequestAllShards, OneSucceeded },

	// RedisJSON declares (1, 1, 1): JSON.MGET key [key ...] path.
	"json.mget": func(r *Row) {
		r.Keys = []KeySpec{{Begin: BeginIndex, Index: 1, Find: FindRange, LastKey: -2, KeyStep: 1}}
	},

	// RedisJSON declares (1, 1, 1): JSON.MSET key path value [key path value ...].
	"json.mset": func(r *Row) {
		r.Keys = []KeySpec{{Begin: BeginIndex, Index: 1, Find: FindRange, LastKey: -1, KeyStep: 3}}
	},
}
