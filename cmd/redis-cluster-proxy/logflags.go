package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// addLogFlags adds the flags that glog registered in from. Their only change is that -logtostderr is on: a server in a
// container has no files to log to, and who wants some says so with -log_dir.
func addLogFlags(fs, from *flag.FlagSet) {
	from.VisitAll(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "test.") {
			return // those of package testing, which shares the set
		}
		usage := f.Usage
		if f.Name == "logtostderr" {
			usage += " (on unless -log_dir or -alsologtostderr is given)"
		}
		fs.Var(f.Value, f.Name, usage)
	})
}

// settleLogFlags turns -logtostderr on unless the command line says otherwise, and checks that there can be files if it
// is off.
func settleLogFlags(fs *flag.FlagSet) error {
	said := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { said[f.Name] = true })
	if !said["logtostderr"] {
		files := said["log_dir"] || said["alsologtostderr"]
		if err := fs.Set("logtostderr", strconv.FormatBool(!files)); err != nil {
			return err
		}
	}
	if fs.Lookup("logtostderr").Value.String() == "true" {
		return nil
	}
	return checkLogDir(fs.Lookup("log_dir").Value.String())
}

// checkLogDir makes a file in dir and removes it. Where glog cannot make its own it ends the process with all its stacks,
// or, given a directory, tries another one without a word. An empty dir is glog's default.
func checkLogDir(dir string) error {
	f, err := os.CreateTemp(dir, "redis-cluster-proxy-*")
	if err != nil {
		return fmt.Errorf("no log files can be made, see -log_dir and -logtostderr: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// logVerbosity returns glog's verbosity as the lines that setLogVerbosity takes.
func logVerbosity() string {
	return fmt.Sprintf("v=%s\nvmodule=%s\n", flag.Lookup("v").Value, flag.Lookup("vmodule").Value)
}

// setLogVerbosity changes glog's verbosity while the proxy runs. The text is a number, which is -v, or lines "v=2" and
// "vmodule=lane=3,session=2". Nothing changes unless all of it is right.
func setLogVerbosity(text string) error {
	var level, modules *string
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case name == "" && !found:
			continue
		case name == "v" && found:
			level = &value
		case name == "vmodule" && found:
			modules = &value
		case !found:
			level = &name
		default:
			return fmt.Errorf("%q is neither v=number nor vmodule=pattern=number", strings.TrimSpace(line))
		}
	}
	if level == nil && modules == nil {
		return errors.New("no level given: want a number, v=number or vmodule=pattern=number")
	}
	if level != nil {
		if _, err := strconv.ParseInt(*level, 10, 32); err != nil {
			return fmt.Errorf("level %q is not a number", *level)
		}
	}
	if modules != nil {
		if err := flag.Set("vmodule", *modules); err != nil {
			return fmt.Errorf("vmodule %q: %w", *modules, err)
		}
	}
	if level != nil {
		return flag.Set("v", *level)
	}
	return nil
}
