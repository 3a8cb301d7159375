package proxytest

import "go.uber.org/goleak"

// Lasting are the goroutines that live as long as the process, for checks that nothing is left running.
var Lasting = []goleak.Option{
	goleak.IgnoreAnyFunction("redis-cluster-proxy/internal/netio.(*watcher).watchLoop"),
	goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
}
