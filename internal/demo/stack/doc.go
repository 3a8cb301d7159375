// Package stack runs what a user would run: a real Redis Cluster on loopback and the built proxy in front of it, for the
// demo and the benchmark.
//
// Start returns when a value has been written and read through the proxy; Close ends everything. Should the process die
// without Close, of whatever cause, the kernel ends its children (Linux).
//
// Goroutines: program.supervise, one per Stack, ends with the proxy.
package stack
