package proxy

import (
	"strconv"
	"strings"
)

// release returns the cluster's version as a number to compare with, 7.2 for
// "7.2.4"; 0 if it cannot be read.
func (s *Server) release() float64 {
	major, rest, _ := strings.Cut(*s.serverVersion.Load(), ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseFloat(major+"."+minor, 64)
	if err != nil {
		return 0
	}
	return n
}
