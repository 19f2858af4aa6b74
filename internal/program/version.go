package program

import (
	"runtime/debug"
)

// version is set when a release is linked: -X github.com/argosy-dev/argosy/internal/program.version=v1.2.3.
var version string

// Version of this program: that of the release, else the module's when go install built it, else "devel" with the commit if it is known.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versionOf(version, &debug.BuildInfo{})
	}
	return versionOf(version, info)
}

func versionOf(linked string, info *debug.BuildInfo) string {
	if linked != "" {
		return linked
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return "devel-" + setting.Value
		}
	}
	return "devel"
}
