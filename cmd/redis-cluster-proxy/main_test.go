package main

import (
	"errors"
	"runtime/debug"
	"strings"
	"testing"
)

func TestStart(t *testing.T) {
	tests := []struct {
		args           string
		runs           bool
		code           int
		stdout, stderr string
	}{
		{args: "-version", code: 0, stdout: "redis-cluster-proxy "},
		{args: "-h", code: 0, stdout: "-startup-nodes"},
		{args: "-max-clients x", code: 2, stderr: "-max-clients"},
		{args: "stray", code: 2, stderr: "stray"},
		{args: "", runs: true, code: 0},
		{args: "-announce-addr fails:1", runs: true, code: 1, stderr: "redis-cluster-proxy: it failed\n"},
	}
	for _, tt := range tests {
		var stdout, stderr strings.Builder
		ran := false
		code := start(strings.Fields(tt.args), &stdout, &stderr, func(o options) error {
			ran = true
			if o.AnnounceAddr == "fails:1" {
				return errors.New("it failed")
			}
			return nil
		})
		if code != tt.code || ran != tt.runs {
			t.Errorf("%q: code %d, ran %v, want %d, %v", tt.args, code, ran, tt.code, tt.runs)
		}
		if !strings.Contains(stdout.String(), tt.stdout) || (tt.stdout == "") != (stdout.String() == "") {
			t.Errorf("%q: stdout %q, want %q", tt.args, stdout.String(), tt.stdout)
		}
		if !strings.Contains(stderr.String(), tt.stderr) || (tt.stderr == "") != (stderr.String() == "") ||
			strings.Count(stderr.String(), "\n") > 1 {
			t.Errorf("%q: stderr %q, want one line with %q", tt.args, stderr.String(), tt.stderr)
		}
	}
}

func TestBuiltVersion(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123456789abcdef"}}
	for want, info := range map[string]debug.BuildInfo{
		"v1.2.3":             {Main: debug.Module{Version: "v1.2.3"}, Settings: revision},
		"devel-0123456789ab": {Main: debug.Module{Version: "(devel)"}, Settings: revision},
		"devel":              {},
	} {
		if got := builtVersion(&info); got != want {
			t.Errorf("builtVersion = %q, want %q", got, want)
		}
	}
}
