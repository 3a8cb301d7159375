// Command redis-cluster-proxy lets programs that know one Redis use a Redis Cluster.
//
//	redis-cluster-proxy -startup-nodes 10.0.0.1:6379,10.0.0.2:6379
//
// The package reads the flags, wires the rooms together and hands signals on. It is the only one that knows flags, exits
// the process, or decides what logs where. Its exit status is 0 after an orderly end, 1 after a failure and 2 after a
// mistake on the command line.
//
// SIGTERM or SIGINT drains: nothing new is accepted, requests in flight are answered, and after -shutdown-timeout what is
// left is cut off. A second signal ends the process at once.
//
// Goroutines: serviceRunner.serve, one per service, ends with it; drain, which lasts from the first signal or failure to
// the end.
package main
