package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// listenAddr is a place to listen, in the words of net.Listen.
type listenAddr struct {
	Network string // "tcp" or "unix"
	Address string // host:port, the host perhaps empty for all addresses, or a path
}

func (a listenAddr) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Address
	}
	return a.Address
}

// parseListenAddrs parses a comma-separated list of host:port and unix:/path. Port 0 is any free port.
func parseListenAddrs(text string) ([]listenAddr, error) {
	return parseList(text, func(item string) (listenAddr, error) {
		if path, found := strings.CutPrefix(item, "unix:"); found {
			if path == "" {
				return listenAddr{}, errors.New("unix: needs a path behind it")
			}
			return listenAddr{Network: "unix", Address: path}, nil
		}
		addr, err := parseHostPort(item, true)
		return listenAddr{Network: "tcp", Address: addr}, err
	})
}

// parseSeeds parses a comma-separated list of host:port.
func parseSeeds(text string) ([]string, error) {
	return parseList(text, func(item string) (string, error) { return parseHostPort(item, false) })
}

// parseOptionalAddr parses host:port to listen at, or nothing.
func parseOptionalAddr(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return parseHostPort(text, true)
}

// parseOptionalTarget parses host:port to connect to, or nothing.
func parseOptionalTarget(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return parseHostPort(text, false)
}

// parseCIDRs parses a comma-separated list of CIDRs, perhaps empty. An address alone is a network of one.
func parseCIDRs(text string) ([]netip.Prefix, error) {
	if text == "" {
		return nil, nil
	}
	return parseList(text, func(item string) (netip.Prefix, error) {
		if addr, err := netip.ParseAddr(item); err == nil {
			return netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return p, fmt.Errorf("%q is not a network such as 10.1.0.0/16", item)
		}
		return p.Masked(), nil
	})
}

// parseList parses a comma-separated list of at least one item. An item that came before is left out.
func parseList[T comparable](text string, parse func(string) (T, error)) ([]T, error) {
	var list []T
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return nil, errors.New("an item of the list is empty")
		}
		v, err := parse(item)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list, nil
}

// parseHostPort checks host:port and returns it in the usual form. To listen, the host may be missing and the port 0.
func parseHostPort(text string, listen bool) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		hint := "host:port"
		if strings.Count(text, ":") > 1 {
			hint = "[IPv6 address]:port"
		}
		return "", fmt.Errorf("%q is not %s", text, hint)
	}
	if host == "" && !listen {
		return "", fmt.Errorf("%q lacks the host", text)
	}
	if strings.ContainsAny(host, " /\t\"'") {
		return "", fmt.Errorf("%q is not a host", host)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 && !listen {
		return "", fmt.Errorf("%q is not a port", port)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}
