package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestIDCOf(t *testing.T) {
	tests := []struct{ candidates, want string }{
		{"10.1.2.3", "[10.1.0.0/16]"},
		{"10.1.2.3 172.16.0.1", "[10.1.0.0/16]"},
		{"0.0.0.0 :: 192.168.7.9 10.1.2.3", "[192.168.0.0/16]"},
		{"127.0.0.1 10.1.2.3", "[10.1.0.0/16 127.0.0.0/16]"},
		{"::ffff:10.9.8.7", "[10.9.0.0/16]"},
		{"fd00::1 ::1", "[]"},
		{"127.0.0.1", "[127.0.0.0/16]"},
		{"", "[]"},
	}
	for _, tt := range tests {
		var ips []netip.Addr
		for text := range strings.FieldsSeq(tt.candidates) {
			ips = append(ips, netip.MustParseAddr(text))
		}
		if got := fmt.Sprint(idcOf(ips)); got != tt.want {
			t.Errorf("idcOf(%s) = %s, want %s", tt.candidates, got, tt.want)
		}
	}
}

func TestOwnIDC(t *testing.T) {
	tests := []struct {
		args  string
		first string
	}{
		{"-idc 10.7.0.0/24 -addr 10.1.2.3:1", "10.7.0.0/24"},
		{"-addr 0.0.0.0:1,10.1.2.3:1,unix:/x", "10.1.0.0/16"},
	}
	for _, tt := range tests {
		o := mustParse(t, strings.Fields(tt.args)...)
		if got := o.ownIDC(); len(got) == 0 || got[0].String() != tt.first {
			t.Errorf("%s: %v, want %s first", tt.args, got, tt.first)
		}
	}
}

func TestRouteToLoopbackIsLoopback(t *testing.T) {
	ips := routeIPs([]string{"a.name.example:1", "127.0.0.1:7001"})
	if len(ips) != 1 || !ips[0].IsLoopback() {
		t.Errorf("routeIPs = %v, want the loopback address", ips)
	}
}
