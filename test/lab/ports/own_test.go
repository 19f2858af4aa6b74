package ports

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestOwn: a folder that is another's is passed over, and one's own is found again.
func TestOwn(t *testing.T) {
	below, me := t.TempDir(), os.Getuid()
	mine, err := own(below, "locks", me)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := own(below, "locks", me); err != nil || again != mine {
		t.Errorf("%s, %v, want %s", again, err, mine)
	}
	// To another of the same number, as to root of another namespace, all of these are somebody else's.
	other := me + 1
	for _, taken := range []string{"", "-2"} {
		if err := os.Mkdir(filepath.Join(below, "locks-"+strconv.Itoa(other)+taken), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := own(below, "locks", other); err == nil {
		t.Error("a folder that is none of the user's was taken")
	}
	if _, err := os.Stat(filepath.Join(below, "locks-"+strconv.Itoa(other)+"-3")); err != nil {
		t.Errorf("the next name was not tried: %v", err)
	}
}
