package install

import (
	"os"
	"testing"

	"github.com/argosy-dev/argosy/test/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Judge(m)) }
