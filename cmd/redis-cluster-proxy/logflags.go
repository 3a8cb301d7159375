package main

import (
	"errors"
	"flag"
	"fmt"
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

// settleLogFlags turns -logtostderr on unless the command line says otherwise.
func settleLogFlags(fs *flag.FlagSet) error {
	said := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { said[f.Name] = true })
	if said["logtostderr"] {
		return nil
	}
	files := said["log_dir"] || said["alsologtostderr"]
	return fs.Set("logtostderr", strconv.FormatBool(!files))
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
