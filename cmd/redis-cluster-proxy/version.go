package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version string

// versionLine is what -version prints.
func versionLine() string {
	return fmt.Sprintf("redis-cluster-proxy %s %s %s/%s", versionName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionName is the stamped version, else what the go command knew of the source, else "devel".
func versionName() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return builtVersion(info)
}

func builtVersion(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && s.Value != "" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
