// Command gen writes docs/commands.md: what the proxy does with each command.
//
// It puts a proxy together that has no cluster and asks it how it would treat a
// sample request of each row of its table, by the code that treats requests. Run it
// with "go generate ./proxy"; a test fails if the page is stale.
package main
