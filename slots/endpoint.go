package slots

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// ResolveAddr turns an address as a node writes it in MOVED and ASK into one to dial. Such an address has no brackets around
// IPv6 ("::1:7001") and may lack the host (":7001"), which then is that of askedAddr, the address of the node that answered.
// Source: "Redirection and resharding" in the Redis Cluster specification.
func ResolveAddr(addr, askedAddr string) (string, error) {
	colon := strings.LastIndexByte(addr, ':')
	if colon < 0 {
		return "", fmt.Errorf("address %q has no port", addr)
	}
	port, err := strconv.ParseUint(addr[colon+1:], 10, 16)
	if err != nil || port == 0 {
		return "", fmt.Errorf("address %q has no valid port", addr)
	}
	host := strings.TrimSuffix(strings.TrimPrefix(addr[:colon], "["), "]")
	if host == "" || host == "?" {
		host = hostOf(askedAddr)
	}
	if host == "" {
		return "", fmt.Errorf("address %q has no host", addr)
	}
	if strings.ContainsAny(host, "[]") {
		return "", fmt.Errorf("address %q has stray brackets", addr)
	}
	return joinAddr(host, int64(port)), nil
}

// hostOf returns the host of host:port without brackets.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return host
}

func joinAddr(host string, port int64) string {
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

// endpointHost returns the host of a node in a reply of CLUSTER SHARDS or CLUSTER SLOTS. endpoint is nil or "" if clients are to
// use the host they asked (cluster-preferred-endpoint-type unknown-endpoint, or a node that does not know its own address), and
// "?" if a name is preferred and the node has none: then its ip is the best there is.
// Source: the reply sections of the pages "CLUSTER SLOTS" and "CLUSTER SHARDS" in the Redis docs.
func endpointHost(endpoint any, ip, askedHost string) string {
	host, _ := endpoint.(string)
	switch {
	case host == "?" && ip != "" && ip != "?":
		return ip
	case host == "?" || host == "":
		return askedHost
	}
	return host
}
