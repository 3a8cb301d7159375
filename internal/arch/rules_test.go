package arch

// module is what the import paths of all rooms begin with.
const module = "redis-cluster-proxy"

// Import paths of others that the rules speak of. A path stands for itself and everything below it.
const (
	glog       = "github.com/golang/glog"
	goRedis    = "github.com/redis/go-redis/v9"
	prometheus = "github.com/prometheus/client_golang"
	xsys       = "golang.org/x/sys"
	goleak     = "go.uber.org/goleak"
)

// room is what the code of one directory, its tests apart, may import besides the standard library. All else is
// forbidden, and so is a directory without a rule. A room's tests may import what they like.
type room struct {
	dir    string
	own    []string // directories of this module
	others []string // import paths from elsewhere
	why    string   // why not more: the first thing somebody reads who breaks the rule
}

var rooms = []room{
	{dir: "resp",
		why: "framing is pure: it is fuzzed, reused and trusted because nothing else can leak into it"},
	{dir: "command",
		why: "the command table is data and lookups over it; who knows nodes or connections must not leak into what a command is"},
	{dir: "command/gen", own: []string{"command"},
		why: "it makes a source file of the command package at development time"},
	{dir: "slots", own: []string{"resp"}, others: []string{goRedis, glog, prometheus},
		why: "it knows where keys live and no more: carrying bytes is backend's work, choosing among nodes dispatcher's"},
	{dir: "backend", own: []string{"resp", "internal/netio"}, others: []string{glog, prometheus, xsys},
		why: "it carries bytes to one node: it must not know slots, sessions or commands, or a lane would decide what is the dispatcher's to decide"},
	{dir: "dispatcher", own: []string{"slots", "backend", "command", "resp"}, others: []string{glog, prometheus},
		why: "it decides about requests: it must not know sessions or sockets, so that it can be tested without either"},
	{dir: "scan", own: []string{"resp"},
		why: "a walk is a calculation over what nodes answer: how they are reached must not leak into it, so that whole clusters can be simulated"},
	{dir: "pubsub", own: []string{"backend", "resp"}, others: []string{glog},
		why: "it shares subscriptions: sessions, routes and how nodes are reached are given to it, so that it can be tested without any"},
	{dir: "proxy", own: []string{"dispatcher", "backend", "command", "resp", "scan", "pubsub", "internal/netio"}, others: []string{glog, prometheus},
		why: "it is the client's side: where keys live is asked of the dispatcher, never of slots"},
	{dir: "proxy/gen", own: []string{"proxy", "dispatcher", "backend", "slots", "command"},
		why: "it makes a page of the documentation at development time, by asking a proxy that has no cluster"},
	{dir: "admin", others: []string{prometheus},
		why: "it is given plain functions, so that no room depends on how it is watched; it logs nothing"},
	{dir: "internal/netio", others: []string{xsys},
		why: "it drives connections of either side and must not know what their bytes mean"},
	{dir: "internal/redistest", others: []string{goRedis, xsys},
		why: "the tests of every room use it, so importing one would be a cycle, and it must not share the mistakes it is to find"},
	{dir: "internal/proxytest", own: []string{"proxy", "dispatcher", "backend", "slots", "command", "resp", "internal/netio", "internal/redistest"}, others: []string{goRedis, goleak},
		why: "it wires the rooms in one process for tests of the whole; what it adds is never part of the product"},
	{dir: "internal/demo/stack", own: []string{"internal/redistest"}, others: []string{goRedis},
		why: "it runs the built program as a user does, from outside"},
	{dir: "internal/demo", own: []string{"internal/demo/stack"},
		why: "it runs the built program as a user does, from outside"},
	{dir: "internal/bench", own: []string{"internal/demo/stack"},
		why: "it measures any program that speaks Redis, ours as a stranger"},
	{dir: "internal/arch",
		why: "it reads source and must not depend on any"},
	{dir: "cmd/redis-cluster-proxy", own: []string{"proxy", "dispatcher", "backend", "slots", "command", "resp", "admin", "internal/netio"},
		others: []string{glog, prometheus},
		why:    "it wires the rooms; servers for tests have no place in the product, and go-redis stays behind slots"},
}

// fileRules narrow what a room's rule allows: path may be imported only in files with one of these names, save in exempt
// directories.
var fileRules = []struct {
	path   string
	files  []string
	exempt []string
	why    string
}{
	{prometheus, []string{"metrics.go"}, []string{"admin", "cmd/redis-cluster-proxy"},
		"metrics are one page per room, so that the hot path can be read without them"},
}

// names that only some directories may use. Files of tests may use all of them.
var nameRules = []struct {
	path    string   // import path; only this one, not those below it
	names   []string // exported names of it; none: the import itself
	allowed []string // directories
	why     string
}{
	{"flag", nil, []string{"cmd/redis-cluster-proxy", "internal/demo", "internal/bench"},
		"rooms are configured by their Config, so that two of them can live in one process and in one test"},
	{"os", []string{"Exit"}, []string{"cmd/redis-cluster-proxy", "internal/demo", "internal/bench", "command/gen", "proxy/gen"},
		"an error is returned: who exits below cmd takes other clients down with him and skips the drain"},
	{"os", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv"},
		[]string{"cmd/redis-cluster-proxy", "internal/demo", "internal/bench"},
		"what the environment says is read where flags are read, and nowhere behind the reader's back"},
	{glog, []string{"Fatal", "Fatalf", "Fatalln", "FatalDepth", "FatalContext", "Exit", "Exitf", "Exitln", "ExitDepth", "ExitContext"}, nil,
		"it ends the process: bad input and a lost node are no reason to drop every client"},
	{"log", nil, nil,
		"there is one log, glog's"},
}
