// Package proxytest runs the proxy, wired as the program wires it, in the test's own process, and talks to it in raw
// bytes.
//
//	p := proxytest.Start(t, proxytest.Config{Seeds: cluster.Addrs()})
//	d := proxytest.Connect(t, p.Addr)
//	d.Do("SET", "k", "v")
//
// Start waits until the proxy covers all slots and knows the cluster's commands, unless Config says not to, and takes the
// proxy down at the end of the test. Client is a connection that does nothing by itself: what is sent and what is awaited is
// the test's to say, byte by byte if need be. Its methods return errors, for the goroutines of a load; Dialog is the same for
// a test's own goroutine, and ends the test instead.
//
// Goroutines: those of the proxy's rooms. All end with Proxy.Close.
package proxytest
