package iaas

import (
	"os"
	"strings"
	"testing"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// TestTheSampleIsInTheStore: what the sample of a delivery fetches is in the lab's store, with these checksums.
func TestTheSampleIsInTheStore(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/samples/vmreplicaset-delivered.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Parse(text); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/jdk/21.0.2.tar", "/shop/1.0.0.tar"} {
		source, checksum := Artifact(file)
		for _, want := range []string{": " + source + "\n", "checksum: " + checksum + "\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the sample lacks %q", want)
			}
		}
	}
}
