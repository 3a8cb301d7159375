//go:build !poller

package proxytest

// pollers is how many goroutines of a netio.Poller drive a Proxy's connections; 0: a goroutine for each connection. Tests are
// run both ways, see the Makefile.
const pollers = 0
