// Package redistest gives tests and tools something that speaks Redis. There are three kinds, from the most real to the
// most obedient:
//
//   - LaunchCluster and LaunchServer start real redis-servers on free loopback ports in a temporary directory. Slots can
//     be migrated, and nodes killed, stopped, restarted, failed over, added and removed, while clients use them.
//   - LaunchFakeCluster is a whole cluster in the test's own process: it redirects as Redis does (MOVED, ASK, TRYAGAIN,
//     CLUSTERDOWN, LOADING, READONLY), keeps a small keyspace, records what it executed in which order, and fails in
//     whatever way a test asks for. It is fast enough for property tests under the race detector.
//   - LaunchScript is one scripted node: a list of steps (expect this command, send these bytes, close) per connection.
//
// Each has a Start form (StartCluster, StartServer, StartFakeCluster, StartScript) that takes a testing.TB, ends the test
// when it cannot start and takes everything down at the test's end. The Launch forms need no testing and serve commands.
//
// A real cluster is formed by writing each node's nodes.conf beforehand, so there is no gossip to wait for; what remains
// is the two seconds for which Redis refuses to call a freshly started primary's cluster state ok. Nothing outlives the
// process: the servers get SIGKILL when it dies, whatever it died of (Linux; elsewhere only after Close). The temporary
// directory of a process that was itself killed does stay.
//
// The package imports no other package of the project, so the in-package tests of all of them can import it. That is why
// it has a small codec and a slot function of its own.
//
// Goroutines: process.supervise, one per server, ends with it. FakeNode.acceptLoop and fakeConn.serve end with Close, Kill
// or the connection; scriptConn.serve and ScriptNode.acceptLoop with Close.
package redistest
