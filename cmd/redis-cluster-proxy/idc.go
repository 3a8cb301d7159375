package main

import (
	"net"
	"net/netip"
)

// idcBits is how much of an IPv4 address is the same in all of a data centre unless -idc says otherwise: two octets.
const idcBits = 16

// ownIDC returns the networks of the proxy's data centre: those of -idc, else the first two octets of the proxy's own
// IPv4 address and of the loopback address, whose nodes are on this very machine.
func (o *options) ownIDC() []netip.Prefix {
	if len(o.IDC) > 0 {
		return o.IDC
	}
	candidates := append(listenIPs(o.Listen), routeIPs(o.StartupNodes)...)
	return idcOf(append(candidates, interfaceIPs()...))
}

// idcOf returns the network around the first IPv4 address that other machines can reach, and the one around the first
// that they cannot. It returns none if there is no IPv4 address at all.
func idcOf(candidates []netip.Addr) []netip.Prefix {
	var networks []netip.Prefix
	for _, loopback := range []bool{false, true} {
		for _, ip := range candidates {
			ip = ip.Unmap()
			if !ip.Is4() || ip.IsUnspecified() || ip.IsLoopback() != loopback {
				continue
			}
			if p, err := ip.Prefix(idcBits); err == nil {
				networks = append(networks, p)
				break
			}
		}
	}
	return networks
}

// listenIPs returns the addresses that clients were told by -addr.
func listenIPs(listen []listenAddr) []netip.Addr {
	var ips []netip.Addr
	for _, l := range listen {
		if ap, err := netip.ParseAddrPort(l.Address); err == nil {
			ips = append(ips, ap.Addr())
		}
	}
	return ips
}

// routeIPs returns this machine's addresses as the seeds would see them. Connecting a UDP socket sends nothing. Seeds
// given by name are left out: name servers may take their time.
func routeIPs(seeds []string) []netip.Addr {
	var ips []netip.Addr
	for _, seed := range seeds {
		to, err := netip.ParseAddrPort(seed)
		if err != nil {
			continue
		}
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			continue
		}
		if from, ok := c.LocalAddr().(*net.UDPAddr); ok {
			ips = append(ips, from.AddrPort().Addr())
		}
		c.Close()
	}
	return ips
}

func interfaceIPs() []netip.Addr {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var ips []netip.Addr
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			ips = append(ips, p.Addr())
		}
	}
	return ips
}
