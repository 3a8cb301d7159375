package main

import (
	"math"

	"github.com/golang/glog"
)

// fitClients returns the largest number of clients that leaves a quarter of the process's descriptors for its connections
// to nodes, but no more than want. Want 0 is as many as that. Clients that had taken all descriptors would wait for nodes
// that cannot be connected to. Descriptors 0 is a number that is not known.
//
// Clients that have connections of their own (BLPOP, WATCH, CLIENT TRACKING) may need more than the quarter; how many
// they are nobody knows in advance.
func fitClients(want int, descriptors uint64) int {
	if descriptors == 0 {
		return want
	}
	fit := int(min(descriptors-descriptors/4, math.MaxInt32))
	if want == 0 {
		return fit
	}
	if want > fit {
		glog.Warningf("-max-clients %d: only %d, for the process may have no more than %d descriptors (ulimit -n), and a quarter is for the nodes",
			want, fit, descriptors)
	}
	return min(want, fit)
}
