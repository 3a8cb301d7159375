// Command demo shows the proxy at work: it starts a real Redis Cluster of three primaries and three replicas on loopback
// and the built proxy in front of it, waits until a value can be written and read through it, says what to try, and runs
// until Ctrl-C or SIGTERM. Then, and also when it is killed, nothing keeps running.
//
// "make demo" builds the proxy and runs it. All that it does is in package stack, which the benchmark uses as well.
package main
