//go:build poller

package proxytest

const pollers = 2
