package e2e

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
)

// rollouts runs Kruise Rollout's real controller in member1, whose program takes minutes to build.
var rollouts = flag.Bool("rollouts", false, "run Kruise Rollout in member1, and TestReleaseBesideKruiseRollout")

const memberRollout = `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: web, namespace: $NS}
spec:
  workloadRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  strategy:
    canary:
      steps:
      - {replicas: 1, pause: {}}
      - {replicas: 100%}
`

// TestReleaseBesideKruiseRollout: a Release opens a cluster, and a Rollout of that cluster moves its CloneSet in steps of its own. Neither
// writes over the other: what Karmada writes meanwhile keeps the Rollout's partition, the stage waits for the Rollout's people, and the
// clusters that are held never see the revision.
func TestReleaseBesideKruiseRollout(t *testing.T) {
	if !*rollouts {
		t.Skip("Kruise Rollout runs with -args -rollouts")
	}
	d := newDivided(t)
	d.patch(d.karmada, d.cloneSet(),
		`{"metadata":{"labels":{"rollouts.kruise.io/workload-type":"cloneset","interpreter.argosy.dev/retain":"rollout"}}}`)
	d.apply(t, d.ns, strings.Replace(leakRelease, "apiVersion: apps/v1, kind: Deployment",
		"apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet", 1))
	letGoInTheEnd(t, d.planes, d.ns, "web")
	d.Eventually(d.why, slow, "200ms").Should(Equal(v1alpha1.ReasonComplete))
	of := fixture.Parse(t, strings.ReplaceAll(memberRollout, "$NS", d.ns)).Unstructured()
	d.Eventually(func() error { return d.members["member1"].Create(t.Context(), of.DeepCopy()) }, slow, "1s").Should(Succeed())
	d.Eventually(d.rollout, slow, "500ms").Should(HavePrefix("Healthy"))

	d.patch(d.karmada, d.cloneSet(), `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:v2",`+
		`"resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}}}`)
	d.Eventually(d.rollout, slow, "500ms").Should(Equal("Progressing StepPaused"))
	d.Eventually(d.updated, slow, "500ms").Should(Equal("web:v2 1 of 3 (partition 2), web:v1 3 of 3, web:v1 3 of 3"))
	d.Eventually(d.why, slow, "200ms").Should(Equal(v1alpha1.ReasonUpdating), "the stage waits for the Rollout")

	// Karmada writes every member anew: the partition stays the Rollout's, which never raises it, so that a replica that is added is new.
	d.patch(d.karmada, d.cloneSet(), `{"spec":{"replicas":12}}`)
	d.Eventually(d.updated, slow, "500ms").Should(Equal("web:v2 2 of 4 (partition 2), web:v1 4 of 4, web:v1 4 of 4"))
	d.Expect(answered(t, d.rollout)()).To(Equal("Progressing StepPaused"))

	// Its people let it go on.
	d.Eventually(func() error {
		return d.members["member1"].Status().Patch(t.Context(), of.DeepCopy(),
			client.RawPatch(types.MergePatchType, []byte(`{"status":{"canaryStatus":{"currentStepState":"StepReady"}}}`)))
	}, slow, "500ms").Should(Succeed())
	d.Eventually(d.rollout, slow, "500ms").Should(HavePrefix("Healthy"))
	d.Eventually(d.updated, slow, "500ms").Should(Equal("web:v2 4 of 4, web:v1 4 of 4, web:v1 4 of 4"))
	d.Eventually(d.why, slow, "200ms").Should(Equal(v1alpha1.ReasonAwaitingApproval))

	out, err := d.run("release", "promote", "web")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Eventually(d.why, slow, "200ms").Should(Equal(v1alpha1.ReasonComplete))
	d.Expect(answered(t, d.updated)()).To(Equal("web:v2 4 of 4, web:v2 4 of 4, web:v2 4 of 4"))
}

func (d divided) why() (string, error) {
	var of v1alpha1.Release
	err := d.karmada.Get(d.t.Context(), d.key(), &of)
	return whyOf(&of), err
}

// rollout is the phase of member1's Rollout, and the state of its step.
func (d divided) rollout() (string, error) {
	of := &unstructured.Unstructured{}
	of.SetAPIVersion("rollouts.kruise.io/v1beta1")
	of.SetKind("Rollout")
	if err := d.members["member1"].Get(d.t.Context(), d.key(), of); err != nil {
		return "", err
	}
	phase, _, err := unstructured.NestedString(of.Object, "status", "phase")
	if err != nil {
		return "", err
	}
	step, _, err := unstructured.NestedString(of.Object, "status", "canaryStatus", "currentStepState")
	return phase + " " + step, err
}

// updated is what each member's CloneSet says: its image, how many of its replicas have it, and its partition.
func (d divided) updated() (string, error) {
	var out []string
	for _, name := range d.lab.Members {
		var in kruisev1alpha1.CloneSet
		if err := d.members[name].Get(d.t.Context(), d.key(), &in); err != nil {
			return "", err
		}
		_, image, _ := strings.Cut(in.Spec.Template.Spec.Containers[0].Image, "/")
		one := fmt.Sprintf("%s %d of %d", image, in.Status.UpdatedReplicas, in.Status.Replicas)
		if partition := in.Spec.UpdateStrategy.Partition; partition != nil && partition.String() != "0" {
			one += fmt.Sprintf(" (partition %s)", partition)
		}
		out = append(out, one)
	}
	return strings.Join(out, ", "), nil
}
