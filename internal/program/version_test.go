package program

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	commit := []debug.BuildSetting{{Key: "vcs.revision", Value: "66587d5"}}
	for want, given := range map[string]struct {
		linked string
		info   debug.BuildInfo
	}{
		"v1.2.3":        {linked: "v1.2.3", info: debug.BuildInfo{Main: debug.Module{Version: "v0.0.1"}, Settings: commit}},
		"v0.0.1":        {info: debug.BuildInfo{Main: debug.Module{Version: "v0.0.1"}, Settings: commit}},
		"devel-66587d5": {info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: commit}},
		"devel":         {info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}},
	} {
		if have := versionOf(given.linked, &given.info); have != want {
			t.Errorf("%+v: version %s, want %s", given, have, want)
		}
	}
}
