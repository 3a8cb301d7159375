package main

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"
)

// forgetLogFiles undoes what a command line said of log files: glog's flags are global, and a test must not find what
// another has set.
func forgetLogFiles(t *testing.T) {
	t.Helper()
	for name, off := range map[string]string{"log_dir": "", "alsologtostderr": "false", "logtostderr": "true"} {
		if err := flag.Set(name, off); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLogToStderrUnlessFilesAreWanted(t *testing.T) {
	for args, want := range map[string]string{
		"":                           "true",
		"-log_dir /tmp":              "false",
		"-alsologtostderr":           "false",
		"-log_dir /tmp -logtostderr": "true",
		"-logtostderr=false":         "false",
	} {
		mustParse(t, strings.Fields(args)...)
		if got := flag.Lookup("logtostderr").Value.String(); got != want {
			t.Errorf("%q: -logtostderr = %s, want %s", args, got, want)
		}
		forgetLogFiles(t)
	}
}

func TestLogFilesMustBePossible(t *testing.T) {
	defer forgetLogFiles(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", "/no/such/directory")
	for _, args := range []string{"-logtostderr=false", "-alsologtostderr", "-log_dir /no/such/directory", "-log_dir /dev/null"} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), "-log_dir") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line that names -log_dir", args, err)
		}
		forgetLogFiles(t)
	}
	mustParse(t, "-log_dir", dir)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the check leaves %v behind (%v)", left, err)
	}
}

func TestLogVerbosity(t *testing.T) {
	defer func() {
		if err := setLogVerbosity("v=0\nvmodule="); err != nil {
			t.Error(err)
		}
	}()
	steps := []struct{ set, want string }{
		{"3", "v=3\nvmodule=\n"},
		{"vmodule=lane=4,ses*=2", "v=3\nvmodule=lane=4,ses*=2\n"},
		{"v=1\nvmodule=lane=9\n", "v=1\nvmodule=lane=9\n"},
		{"vmodule=", "v=1\nvmodule=\n"},
		{"v=2", "v=2\nvmodule=\n"},
	}
	for _, tt := range steps {
		if err := setLogVerbosity(tt.set); err != nil {
			t.Fatalf("setLogVerbosity(%q): %v", tt.set, err)
		}
		if got := logVerbosity(); got != tt.want {
			t.Errorf("after %q: %q, want %q", tt.set, got, tt.want)
		}
		if err := setLogVerbosity(logVerbosity()); err != nil {
			t.Errorf("what GET says cannot be PUT: %v", err)
		}
	}
	before := logVerbosity()
	for _, wrong := range []string{"", "loud", "v=", "v=x", "vmodule=x", "v=1\nvmodule=x", "level=3", "v=x\nvmodule=a=1", "99999999999"} {
		if err := setLogVerbosity(wrong); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("setLogVerbosity(%q) = %v, want an error of one line", wrong, err)
		}
		if got := logVerbosity(); got != before {
			t.Errorf("%q was refused and changed %q to %q", wrong, before, got)
		}
	}
}
