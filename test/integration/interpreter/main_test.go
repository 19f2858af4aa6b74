package interpreter

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/argosy-dev/argosy/test/interpreterlab"
	"github.com/argosy-dev/argosy/test/lab"
)

// repository is the root of the clone.
const repository = "../../.."

// plane is the karmada plane all tests share. Each test has a namespace of its own.
var plane *interpreterlab.Plane

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if plane, err = interpreterlab.NewPlane(context.Background(), repository); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer plane.Close()
	return lab.Judge(m)
}
