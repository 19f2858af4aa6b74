package migration

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// Autoscalers in the members, node ports that each member chose for itself, and a ConfigMap that two
// applications share: it stays static until the second of them comes in.
func TestHardCases(t *testing.T) {
	t.Parallel()
	first := static.App{
		Namespace: "hard", Name: "first", Kind: "Deployment", Image: "first:1", Replicas: map[string]int64{"member1": 3, "member2": 2},
		Autoscaled: true, SharedConfig: "common", NodePort: map[string]int64{"member1": 30001, "member2": 30002},
	}
	second := static.App{
		Namespace: "hard", Name: "second", Kind: "CloneSet", Image: "second:1", Replicas: map[string]int64{"member1": 1, "member2": 2},
		SharedConfig: "common",
	}
	s := newStory(t, first, second)
	s.list(0, first)
	s.reach(first, v1alpha1.PhaseFederated)
	s.unchanged()
	if got := s.policyOf(first, "common"); got != "" {
		t.Errorf("the shared ConfigMap came in under policy %s while its other user is static", got)
	}
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = append(spec.Entries, entryOf(second)) })
	s.reach(second, v1alpha1.PhaseFederated)
	s.unchanged()
	if got := s.policyOf(second, "common"); got != "configmap-common" {
		t.Errorf("the shared ConfigMap is under policy %q, want configmap-common", got)
	}
	want := map[string]int32{"member1": 30001, "member2": 30002}
	got := map[string]int32{}
	for _, name := range first.Members() {
		member := world.members[name]
		service := &corev1.Service{}
		if err := member.Get(t.Context(), client.ObjectKey{Namespace: "hard", Name: "first"}, service); err != nil {
			t.Fatal(err)
		}
		got[name] = service.Spec.Ports[0].NodePort
		config := &corev1.ConfigMap{}
		if err := member.Get(t.Context(), client.ObjectKey{Namespace: "hard", Name: "common"}, config); err != nil {
			t.Fatal(err)
		}
		if config.Data["region"] != name || config.Labels["karmada.io/managed"] != "true" {
			t.Errorf("the shared ConfigMap of %s is %v, labels %v", name, config.Data, config.Labels)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("node ports (-want +got):\n%s", diff)
	}
}

// policyOf a ConfigMap in an application's record.
func (s *story) policyOf(app static.App, config string) string {
	s.Helper()
	for _, resource := range s.migration(app).Status.Resources {
		if resource.Kind == "ConfigMap" && resource.Name == config {
			return resource.Policy
		}
	}
	s.Errorf("%s does not list ConfigMap %s", app.Name, config)
	return ""
}

// A member goes silent in the middle of the way: nothing goes on, and a rollback does not need its answer.
func TestMemberSilentInTheMiddle(t *testing.T) {
	app := static.App{
		Namespace: "silent", Name: "silent", Kind: "Deployment", Image: "silent:1", Replicas: map[string]int64{"member1": 2, "member2": 2},
	}
	s := newStory(t, app)
	s.listSoaking(endless, 0, app)
	s.reach(app, v1alpha1.PhaseSoaking)
	const server = "member2/apiserver"
	if err := world.lab.Stop(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	s.drop(app)
	migration := s.reach(app, v1alpha1.PhaseCutOff)
	t.Log(describe(migration))
	if err := world.lab.Start(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	// The member's scheduler comes back to its watches one by one, within half a minute. A pod of the next story whose claim it sees before
	// the volume would be put aside for five minutes: a scheduler that begins anew lists all first.
	const scheduler = "member2/kube-scheduler"
	if err := errors.Join(world.lab.Stop(t.Context(), scheduler), world.lab.Start(t.Context(), scheduler)); err != nil {
		t.Fatal(err)
	}
	s.Eventually(func() error {
		_, err := app.Pods(t.Context(), world.members)
		return err
	}, machine.Patience, look).ShouldNot(HaveOccurred())
	s.unchanged()
}
