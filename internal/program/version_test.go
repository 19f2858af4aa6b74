package program

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
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

// TestTheVersionIsLogged in the first line of a program's log.
func TestTheVersionIsLogged(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = writer
	Log("argosy-test", 0)
	os.Stderr = stderr
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\"Starting\" program=\"argosy-test\" version=%q\n", Version()); !strings.HasSuffix(line, want) {
		t.Errorf("the log begins with %q, want %q", line, want)
	}
}
