package approvals

import (
	"encoding/json"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestWhoApprovesCanarySteps: approvals of Components go through the admission of those of machines.
func TestWhoApprovesCanarySteps(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/samples/component.yaml")
	if err != nil {
		t.Fatal(err)
	}
	component := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &component.Object); err != nil {
		t.Fatal(err)
	}
	component.SetName("")
	component.SetGenerateName("canary-")
	if err := plane.Create(t.Context(), component); err != nil {
		t.Fatal(err)
	}
	waits := map[string]any{"gate": "canary", "operationID": "op-1", "cluster": "member1"}
	component.Object["status"] = map[string]any{
		"pendingApprovals": []any{waits}, "replicas": int64(4), "readyReplicas": int64(4), "updatedReplicas": int64(1),
		"availableReplicas": int64(4), "expectedUpdatedReplicas": int64(1),
	}
	if err := plane.Status().Update(t.Context(), component); err != nil {
		t.Fatal(err)
	}
	approve := func(operation string, more map[string]any) string {
		spec := map[string]any{"approvals": []any{map[string]any{"gate": "canary", "operationID": operation, "decision": "Approve"}}}
		for key, value := range more {
			spec[key] = value
		}
		raw, err := json.Marshal(map[string]any{"spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	try := func(who client.Client, patch string) (string, *unstructured.Unstructured) {
		next := component.DeepCopy()
		if err := who.Patch(t.Context(), next, client.RawPatch("application/merge-patch+json", []byte(patch)), client.DryRunAll); err != nil {
			return err.Error(), nil
		}
		return "", next
	}
	g := NewWithT(t)
	says := func(who client.Client, patch string) func() string {
		return func() string { message, _ := try(who, patch); return message }
	}
	ann, eve := as(t, "ann", lab.VMApprover), as(t, "eve", editors)
	g.Eventually(says(eve, approve("op-1", nil)), machine.Patience).Should(ContainSubstring("eve may not approve"))
	g.Eventually(says(ann, approve("op-1", nil)), machine.Patience).Should(BeEmpty())
	g.Eventually(says(ann, approve("op-7", nil)), machine.Patience).Should(ContainSubstring("no operation op-7 waits at gate canary"))
	g.Eventually(says(ann, approve("op-1", map[string]any{"image": "another"})), machine.Patience).
		Should(ContainSubstring("spec.image: ann may approve operations and no more"))
	g.Eventually(says(as(t, robot, ""), approve("op-1", nil)), machine.Patience).Should(ContainSubstring("approved by people"))
	_, next := try(ann, approve("op-1", nil))
	g.Expect(next).NotTo(BeNil())
	given, _, err := unstructured.NestedSlice(next.Object, "spec", "approvals")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(given[0]).To(And(HaveKeyWithValue("by", "ann"), HaveKey("at")))
}
