package redistest

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
)

// release is what a server's program says of itself.
type release struct {
	valkey bool
	number float64 // 7.2 for 7.2.4
}

// saysRelease matches "Redis server v=7.0.15 sha=..." and "Valkey server v=9.1.2 sha=...".
var saysRelease = regexp.MustCompile(`^(Redis|Valkey) server v=(\d+\.\d+)\.`)

// releases remembers what programs have said, by their paths: they are started by the hundred.
var releases sync.Map

// releaseOf asks a program for its version.
func releaseOf(program string) (release, error) {
	if known, ok := releases.Load(program); ok {
		return known.(release), nil
	}
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return release{}, fmt.Errorf("%s --version: %w", program, err)
	}
	m := saysRelease.FindSubmatch(out)
	if m == nil {
		return release{}, fmt.Errorf("%s --version: %q", program, out)
	}
	r := release{valkey: string(m[1]) == "Valkey"}
	if r.number, err = strconv.ParseFloat(string(m[2]), 64); err != nil {
		return release{}, err
	}
	releases.Store(program, r)
	return r, nil
}

// at reports whether the server is Redis of that version or later. All of Valkey is later than Redis 7.2.
func (r release) at(number float64) bool { return r.valkey || r.number >= number }
