package command_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// infosOfFile are the rows of one recorded server.
func infosOfFile(t testing.TB, name string) []command.Info {
	t.Helper()
	file, err := os.ReadFile("data/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var reply any
	if err := json.Unmarshal(file, &reply); err != nil {
		t.Fatal(err)
	}
	infos, err := command.InfosFromReply(reply)
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

func TestBuiltinHasEveryServer(t *testing.T) {
	table := command.Builtin()
	for _, file := range []string{"redis-7.0.15.json", "redis-8.0-dev.json", "valkey-8.1-dev.json"} {
		infos := infosOfFile(t, file)
		if len(infos) < 200 {
			t.Errorf("%s: %d rows", file, len(infos))
		}
		for _, info := range flatten(infos) {
			if table.Row(info.Name) == nil {
				t.Errorf("%s: %s is missing", file, info.Name)
			}
		}
	}
	var names []string
	for row := range table.Rows() {
		names = append(names, row.Name)
		if table.Row(row.Name) != row {
			t.Errorf("Row(%q) is another one", row.Name)
		}
	}
	if len(names) < 350 || !slices.Contains(names, "xinfo|stream") {
		t.Errorf("Rows gives %d rows", len(names))
	}
	if table.Row("nosuch") != nil || table.Row("xinfo|nosuch") != nil || table.Row("get|x") != nil {
		t.Error("Row finds what there is not")
	}
}

func TestOverlayServerWins(t *testing.T) {
	base := command.Builtin()
	table := base.Overlay([]command.Info{
		{Name: "GET", Arity: -2, Flags: []string{"write"}, KeySpecs: base.Row("get").Keys},
		{Name: "my.command", Arity: 2, Flags: []string{"module", "readonly"}, KeySpecs: base.Row("get").Keys},
	})
	row, err := table.Lookup(argsOf("get", "k", "more"))
	if err != nil || !row.Write() || row.ReadOnly() {
		t.Errorf("row %+v, error %v", row, err)
	}
	if row, err := table.Lookup(argsOf("MY.command", "k")); err != nil || row.Family != command.FamilyModule || row.KeyArg != 1 {
		t.Errorf("row %+v, error %v", row, err)
	}
	if base.Row("my.command") != nil || base.Row("get").Write() {
		t.Error("the table beneath has changed")
	}
	if base.Overlay(nil) != base {
		t.Error("an empty reply made another table")
	}
}

// TestOverlayKeepsWhatIsAbsent: a server that lacks a command words the error itself, also of the arity.
func TestOverlayKeepsWhatIsAbsent(t *testing.T) {
	table := command.Builtin().Overlay(infosOfFile(t, "redis-7.0.15.json"))
	for _, request := range []string{"hexpire", "hexpire k", "client no-touch", "client no-touch on more", "waitaof 1", "script show sha"} {
		args := argsOf(strings.Fields(request)...)
		row, err := table.Lookup(args)
		if err != nil {
			t.Errorf("%s: %v", request, err)
			continue
		}
		if _, err := row.AppendKeys(nil, args); err != nil && err != command.ErrInvalid {
			t.Errorf("%s: %v", request, err)
		}
		if row.KeyArg != 0 {
			t.Errorf("%s: KeyArg %d", request, row.KeyArg)
		}
	}
	older := command.Builtin().Overlay([]command.Info{{Name: "get", Arity: 2, Legacy: true}})
	if row, err := older.Lookup(argsOf("function", "nosuch")); err != nil || !row.Is("function") {
		t.Errorf("FUNCTION NOSUCH: row %v, error %v", row, err)
	}
	if _, err := table.Lookup(argsOf("zrank", "k", "m", "WITHSCORE")); err == nil {
		t.Error("ZRANK of 7.0 takes no WITHSCORE")
	}
	if _, err := command.Builtin().Lookup(argsOf("zrank", "k", "m", "WITHSCORE")); err != nil {
		t.Error(err)
	}
}

// legacy are rows as Redis 6 and older send them, without the columns of 7.
const legacy = `[
["xinfo",-2,["readonly","random"],2,2,1,["@read","@stream","@slow"]],
["zunionstore",-4,["write","denyoom","movablekeys"],0,0,0,["@write"]],
["blpop",-3,["write","noscript"],1,-2,1],
["mset",-3,["write","denyoom"],1,-1,2],
["object",-2,["readonly","random"],2,2,1],
["rename",3,["write"],1,2,1],
["mod.fixed",-3,["readonly"],2,2,1],
["mod.movable",-2,["readonly","movablekeys"],1,1,1],
["script",-2,["noscript"],0,0,0],
["get",2,["readonly","fast"],1,1,1]
]`

func TestOverlayLegacyServer(t *testing.T) {
	var reply any
	if err := json.Unmarshal([]byte(legacy), &reply); err != nil {
		t.Fatal(err)
	}
	infos, err := command.InfosFromReply(reply)
	if err != nil {
		t.Fatal(err)
	}
	table := command.Builtin().Overlay(infos)
	for _, c := range []struct {
		request string
		keys    []int
		err     error
	}{
		{"get k", []int{1}, nil},
		{"rename a b", []int{1, 2}, nil},
		{"blpop a b 0", []int{1, 2}, nil},
		{"mset a 1 b 2", []int{1, 3}, nil},
		{"xinfo stream k", []int{2}, nil},
		{"xinfo nosuch k", []int{2}, nil}, // the container's own columns: its sub-commands are not known
		{"object freq k", []int{2}, nil},
		{"zunionstore dst 2 a b", []int{1, 3, 4}, nil},
		{"mod.fixed a k", []int{2}, nil},
		{"mod.movable k", nil, command.ErrAskServer},
		{"script load x", nil, nil},
	} {
		args := argsOf(strings.Fields(c.request)...)
		row, err := table.Lookup(args)
		if err != nil {
			t.Errorf("%s: %v", c.request, err)
			continue
		}
		if got, err := row.AppendKeys(nil, args); err != c.err || !slices.Equal(got, c.keys) {
			t.Errorf("%s: %v, error %v, want %v, %v", c.request, got, err, c.keys, c.err)
		}
	}
	if !table.Row("blpop").Blocking(nil) {
		t.Error("BLPOP does not block")
	}
	if row := table.Row("blpop"); row.Family != command.FamilyList {
		t.Errorf("BLPOP is of family %v", row.Family)
	}
	if s, ok := table.Row("mset").Split(); !ok || s.Step != 2 {
		t.Error("MSET cannot be split")
	}
	if row := table.Row("script|load"); row.Request != command.RequestAllNodes {
		t.Errorf("SCRIPT LOAD goes to %v", row.Request)
	}
	if table.Row("get").KeyArg != 1 {
		t.Error("GET has no KeyArg")
	}
}

func TestSplit(t *testing.T) {
	tables := map[string]*command.Table{
		"built-in": command.Builtin(),
		"7.0":      command.Builtin().Overlay(infosOfFile(t, "redis-7.0.15.json")),
		"valkey":   command.Builtin().Overlay(infosOfFile(t, "valkey-8.1-dev.json")),
	}
	want := map[string]int{"mget": 1, "mset": 2, "del": 1, "unlink": 1, "exists": 1, "touch": 1}
	for name, table := range tables {
		for row := range table.Rows() {
			if s, ok := row.Split(); s != (command.Split{Step: want[row.Name]}) || ok != (s.Step != 0) {
				t.Errorf("%s: %s: Split gives %+v, %v", name, row.Name, s, ok)
			}
		}
	}
	tips := []string{"request_policy:multi_shard", "response_policy:agg_sum"}
	specs := []command.KeySpec{{Begin: command.BeginIndex, Index: 1, Find: command.FindRange, LastKey: -1, KeyStep: 3}}
	if s, ok := rowOf(t, command.Info{Name: "x", Arity: -2, Tips: tips, KeySpecs: specs}).Split(); !ok || s.Step != 3 {
		t.Errorf("a module's command: Split gives %+v, %v", s, ok)
	}
}

// TestDivides is about MSETEX, as Redis 8.4 and Valkey 9.1 declare it.
func TestDivides(t *testing.T) {
	info := command.Info{
		Name: "msetex", Arity: -4, Tips: []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
		KeySpecs: []command.KeySpec{{Begin: command.BeginIndex, Index: 1, Find: command.FindKeyNum, FirstKey: 1, KeyStep: 2}},
	}
	row := rowOf(t, info)
	if s, ok := row.Split(); !ok || s != (command.Split{Step: 2, Counted: true}) || s.Head() != 2 {
		t.Errorf("Split gives %+v, %v", s, ok)
	}
	for request, want := range map[string]bool{
		"MSETEX 2 a 1 b 2":           true,
		"MSETEX 2 a 1 b 2 EX 10":     true,
		"MSETEX 2 a 1 b 2 keepttl":   true,
		"MSETEX 2 nx 1 b xx":         true,
		"MSETEX 2 a 1 b 2 NX":        false,
		"MSETEX 2 a 1 b 2 ex 10 xx":  false,
		"MSETEX 2 a 1 b":             false,
		"MSETEX 1 a 1 b 2":           true,
		"MSETEX 2 a 1 b 2 c 3 EX 10": true,
	} {
		args := argsOf(strings.Fields(request)...)
		keys, err := row.AppendKeys(nil, args)
		if got := row.Divides(args, keys); err != nil || got != want {
			t.Errorf("%s: Divides gives %v, %v", request, got, err)
		}
	}
	info.Tips = info.Tips[:1]
	if s, ok := rowOf(t, info).Split(); ok {
		t.Errorf("without a response policy: Split gives %+v", s)
	}
}

func TestPolicies(t *testing.T) {
	table := command.Builtin().Overlay(infosOfFile(t, "redis-7.0.15.json"))
	for _, c := range []struct {
		name     string
		request  command.RequestPolicy
		response command.ResponsePolicy
	}{
		{"get", command.RequestDefault, command.ResponseDefault},
		{"mget", command.RequestMultiShard, command.ResponseDefault},
		{"mset", command.RequestMultiShard, command.AllSucceeded},
		{"msetnx", command.RequestDefault, command.ResponseDefault},
		{"del", command.RequestMultiShard, command.AggSum},
		{"dbsize", command.RequestAllShards, command.AggSum},
		{"wait", command.RequestAllShards, command.AggMin},
		{"script|exists", command.RequestAllShards, command.LogicalAnd},
		{"script|kill", command.RequestAllShards, command.OneSucceeded},
		{"config|set", command.RequestAllNodes, command.AllSucceeded},
		{"latency|reset", command.RequestAllNodes, command.AggSum},
		{"acl|setuser", command.RequestAllNodes, command.AllSucceeded}, // a tip of later servers
		{"scan", command.RequestSpecial, command.ResponseDefault},
		{"keys", command.RequestAllShards, command.ResponseDefault},
	} {
		if row := table.Row(c.name); row.Request != c.request || row.Response != c.response {
			t.Errorf("%s: %v and %v, want %v and %v", c.name, row.Request, row.Response, c.request, c.response)
		}
	}
	odd := rowOf(t, command.Info{Name: "x", Tips: []string{"request_policy:moonshine", "response_policy:moonshine"}})
	if odd.Request != command.RequestSpecial || odd.Response != command.ResponseSpecial {
		t.Errorf("unknown policies are %v and %v", odd.Request, odd.Response)
	}
}

func TestFamilies(t *testing.T) {
	table := command.Builtin()
	for name, want := range map[string]string{
		"get": "string", "hset": "hash", "lpush": "list", "sadd": "set", "zadd": "sortedset", "xadd": "stream",
		"setbit": "bitmap", "pfadd": "hyperloglog", "geoadd": "geo", "del": "generic", "sort": "generic",
		"eval": "scripting", "fcall": "scripting", "function|load": "scripting", "script|load": "scripting",
		"publish": "pubsub", "pubsub|channels": "pubsub", "multi": "transactions", "ping": "connection",
		"client|list": "connection", "info": "server", "config|get": "server", "dbsize": "server", "flushall": "server",
		"cluster|slots": "cluster", "asking": "cluster", "xinfo|stream": "stream", "object|freq": "generic",
		"memory|usage": "server", "role": "server", "hexpire": "hash", "save": "server",
	} {
		if got := table.Row(name).Family.String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for row := range table.Rows() {
		if row.Family == command.FamilyOther {
			t.Errorf("%s is of no family", row.Name)
		}
	}
	for f := range command.Family(command.NumFamilies) {
		if f.String() == "" {
			t.Errorf("family %d has no name", f)
		}
	}
}

func TestUnknownToTheServer(t *testing.T) {
	request := func(line string) (args [][]byte) {
		for _, w := range strings.Fields(line) {
			args = append(args, []byte(w))
		}
		return args
	}
	seven := command.Builtin().Overlay(infosOfFile(t, "redis-7.0.15.json"))
	old := command.Builtin().Overlay([]command.Info{{Name: "client", Arity: -2, Legacy: true}, {Name: "get", Arity: 2, Legacy: true}})
	for _, c := range []struct {
		table *command.Table
		line  string
		want  string
	}{
		{seven, "get k", ""},
		{seven, "client id", ""},
		{seven, "CLIENT Capa x", "ERR unknown subcommand 'Capa'. Try CLIENT HELP."},
		{seven, "WaitAOF 1 2 3", "ERR unknown command 'WaitAOF', with args beginning with: '1' '2' '3' "},
		{old, "get k", ""},
		{old, "client capa x", ""}, // such a server names no sub-commands
		{old, "xinfo stream k", "ERR unknown command 'xinfo', with args beginning with: 'stream' 'k' "},
		{command.Builtin(), "client capa x", ""},
	} {
		args := request(c.line)
		row, err := c.table.Lookup(args)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := row.Unknown(args); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
}
