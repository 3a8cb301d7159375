package backend

import "time"

var clockStart = time.Now()

// Now is a monotonic clock in nanoseconds since the start of the process, a
// third of the cost of time.Now.
func Now() int64 { return int64(time.Since(clockStart)) }
