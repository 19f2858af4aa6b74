package approvals

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
)

// TestArgosyctlApproves: the command decides in the name of whoever types it, as admission stamps it, and needs the verb approve.
func TestArgosyctlApproves(t *testing.T) {
	set := waiting(t)
	inForce(t, set)
	program := filepath.Join(t.TempDir(), "argosyctl")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/argosyctl")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building argosyctl: %v\n%s", err, out)
	}
	typed := func(user, role string, args ...string) (string, int) {
		args = append([]string{
			"--kubeconfig", kubeconfig, "--as", user, "--as-group", role, "--as-group", "system:authenticated", "-n", set.Namespace,
			"vm", "approve", "vmrs/" + set.Name,
		}, args...)
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		code := 0
		if ended != nil {
			code = ended.ExitCode()
		}
		return string(out), code
	}
	for _, step := range []struct {
		user, role string
		args       []string
		want       string
		code       int
	}{
		{"ann", lab.VMApprover, nil, "2 operations wait: name one with --operation, --gate or --server, or all of them with --all", 1},
		{"eve", editors, []string{"--server", "payments-1"}, "eve may not approve: whoever has the role argosy-vm-approver can do this", 1},
		{robot, lab.VMApprover, []string{"--server", "payments-1"}, "an operation is approved by people", 1},
		{"ann", lab.VMApprover, []string{"--server", "payments-1"}, "ann approved operation op-1 at gate give-up of vmreplicaset/" + set.Name, 0},
		{"bob", lab.VMApprover, []string{"--server", "payments-1"}, "ann has approved operation op-1 at gate give-up already", 0},
		{"bob", lab.VMApprover, []string{"--operation", "op-2", "--reject", "--reason", "not today"}, "bob rejected operation op-2", 0},
		{"ann", lab.VMApprover, []string{"--operation", "op-2"}, "bob rejected operation op-2 at gate give-up (not today), and nobody else", 1},
	} {
		if out, code := typed(step.user, step.role, step.args...); code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("%s %v ended with %d, want %d and %q:\n%s", step.user, step.args, code, step.code, step.want, out)
		}
	}
	if err := plane.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
		t.Fatal(err)
	}
	given := map[string]gatev1alpha1.Approval{}
	for _, a := range set.Spec.Approvals {
		given[a.OperationID] = a
	}
	one, two := given["op-1"], given["op-2"]
	if len(given) != 2 || one.By != "ann" || one.At == nil || two.By != "bob" || two.Decision != gatev1alpha1.Reject {
		t.Errorf("stored %+v", set.Spec.Approvals)
	}
}
