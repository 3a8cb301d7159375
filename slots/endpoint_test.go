package slots

import "testing"

func TestResolveAddr(t *testing.T) {
	for _, tt := range []struct{ addr, asked, want string }{
		{"10.0.0.1:7001", "10.0.0.9:7000", "10.0.0.1:7001"},
		{"redis-1.example:7001", "10.0.0.9:7000", "redis-1.example:7001"},
		{"2001:db8::1:7001", "10.0.0.9:7000", "[2001:db8::1]:7001"},
		{"[2001:db8::1]:7001", "10.0.0.9:7000", "[2001:db8::1]:7001"},
		{":7001", "10.0.0.9:7000", "10.0.0.9:7001"},
		{":7001", "[::1]:7000", "[::1]:7001"},
		{":7001", "redis-0.example:7000", "redis-0.example:7001"},
		{"?:7001", "10.0.0.9:7000", "10.0.0.9:7001"},
		{":7001", "", ""},
		{"10.0.0.1", "10.0.0.9:7000", ""},
		{"10.0.0.1:", "10.0.0.9:7000", ""},
		{"10.0.0.1:0", "10.0.0.9:7000", ""},
		{"10.0.0.1:65536", "10.0.0.9:7000", ""},
		{"10.0.0.1:-1", "10.0.0.9:7000", ""},
		{"", "10.0.0.9:7000", ""},
	} {
		got, err := ResolveAddr(tt.addr, tt.asked)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("ResolveAddr(%q, %q) = %q, %v; want %q", tt.addr, tt.asked, got, err, tt.want)
		}
	}
}

func FuzzResolveAddr(f *testing.F) {
	f.Add("10.0.0.1:7001", "10.0.0.9:7000")
	f.Add("::1:7001", "[::1]:7000")
	f.Fuzz(func(t *testing.T, addr, asked string) {
		got, err := ResolveAddr(addr, asked)
		if (got == "") != (err != nil) {
			t.Errorf("ResolveAddr(%q, %q) = %q, %v", addr, asked, got, err)
		}
	})
}
