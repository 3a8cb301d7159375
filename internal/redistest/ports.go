package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the range that operating systems use for outgoing connections: the port of a node that was
// killed is then still free when the node is restarted.
const firstPort, lastPort = 10240, 32000

var ports = portPool{taken: map[int]bool{}}

// portPool hands out TCP ports, none twice at a time within this process.
type portPool struct {
	mu sync.Mutex

	// Guarded by mu.
	taken map[int]bool
}

// reservePorts returns the port of a server, and for a cluster node the port of its bus. Before Redis 7 that is always
// 10,000 above.
func reservePorts(host string, cluster bool, r release) ([]int, error) {
	switch {
	case !cluster:
		return ports.reserve(host, 1)
	case r.at(7):
		return ports.reserve(host, 2)
	}
	got, err := ports.reserve(host, 1)
	if err != nil {
		return nil, err
	}
	return append(got, got[0]+10000), nil
}

// reserve returns n ports of host that nobody listened on a moment ago. Another process may still be faster, so whoever
// starts a server must be ready to try with other ports.
func (p *portPool) reserve(host string, n int) ([]int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var got []int
	for range 1000 {
		if len(got) == n {
			break
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		if p.taken[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		l.Close()
		p.taken[port] = true
		got = append(got, port)
	}
	if len(got) < n {
		for _, port := range got {
			delete(p.taken, port)
		}
		return nil, fmt.Errorf("no %d free ports on %s", n, host)
	}
	return got, nil
}

func (p *portPool) release(ports ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range ports {
		delete(p.taken, port)
	}
}
