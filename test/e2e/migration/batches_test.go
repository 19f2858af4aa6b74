package migration

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// Twenty applications in batches of 2, 4 and 14. One of the second batch loses a container while it soaks:
// it and only it is rolled back, its batch comes to its end, and nothing of the third is opened.
func TestOneBadApplicationStopsTheBatches(t *testing.T) {
	t.Parallel()
	var apps []static.App
	for i := range 20 {
		apps = append(apps, static.App{
			Namespace: "many", Name: fmt.Sprintf("app-%02d", i), Kind: "Deployment", Image: "app:1",
			Replicas: map[string]int64{"member1": 2, "member2": 1},
		})
	}
	s := newStory(t, apps...)
	s.listSoaking(endless, 0, apps...)
	bad := apps[3] // the second of the second batch
	for _, app := range apps[:2] {
		s.reach(app, v1alpha1.PhaseSoaking)
	}
	// The first batch ends its soak, and the second begins one that it does not end before the story is told: nothing depends on who is quick.
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) {
		start, end := metav1.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), metav1.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)
		spec.Strategy.FreezeWindows = []gatev1alpha1.FreezeWindow{{Name: "between", Start: &start, End: &end}}
		spec.Strategy.SoakSeconds = ptr.To[int32](2)
	})
	for _, app := range apps[:2] {
		s.reach(app, v1alpha1.PhaseFederated)
	}
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) {
		spec.Strategy.FreezeWindows, spec.Strategy.SoakSeconds = nil, ptr.To[int32](endless)
	})
	s.reach(bad, v1alpha1.PhaseSoaking)
	s.restart(bad, "member2")

	s.reach(bad, v1alpha1.PhaseCutOff)
	s.soak(2)
	failed := s.migration(bad)
	if failed.Status.Failure == nil || failed.Status.Failure.Reason != v1alpha1.ReasonEvidenceChanged {
		t.Errorf("failure is %+v, want %s", failed.Status.Failure, v1alpha1.ReasonEvidenceChanged)
	}
	for i, app := range apps[:6] {
		if i != 3 {
			s.reach(app, v1alpha1.PhaseFederated)
		}
	}
	whitelist := &v1alpha1.MigrationWhitelist{}
	s.Eventually(func() v1alpha1.EnvironmentStatus {
		if err := world.karmada.Get(t.Context(), client.ObjectKey{Name: s.whitelist}, whitelist); err != nil ||
			len(whitelist.Status.Environments) != 1 {
			return v1alpha1.EnvironmentStatus{}
		}
		return whitelist.Status.Environments[0]
	}, machine.Patience, look).Should(Equal(v1alpha1.EnvironmentStatus{
		Name: v1alpha1.EnvironmentTest, Batch: 2, Batches: 3, Applications: 20, Federated: 5, Failed: 1,
	}))
	for _, app := range apps[6:] {
		migration := s.migration(app)
		for _, cluster := range migration.Status.Clusters {
			if cluster.State != v1alpha1.ClusterSuspended {
				t.Errorf("%s of the third batch is %s in %s", app.Name, cluster.State, cluster.Name)
			}
		}
		if migration.Status.Management != v1alpha1.ManagementStatic {
			t.Errorf("%s of the third batch is managed: %s", app.Name, migration.Status.Management)
		}
	}
	// The restart is the story's own; but for it, nothing happened to anyone.
	for name, pod := range s.before[bad.Name] {
		if name == s.victim {
			pod.Restarts++
			s.before[bad.Name][name] = pod
		}
	}
	s.unchanged()
}

// restart a container the way a kubelet reports it: its count goes up.
func (s *story) restart(app static.App, member string) {
	s.Helper()
	var pods corev1.PodList
	if err := world.members[member].List(s.Context(), &pods, client.InNamespace(app.Namespace),
		client.MatchingLabels{"app": app.Name}); err != nil {
		s.Fatal(err)
	}
	pod := &pods.Items[0]
	s.victim = member + "/" + pod.Name
	count := pod.Status.ContainerStatuses[0].RestartCount + 1
	if err := retry.RetryOnConflict(busy, func() error {
		if err := world.members[member].Get(s.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		pod.Status.ContainerStatuses[0].RestartCount = count
		return world.members[member].Status().Update(s.Context(), pod)
	}); err != nil {
		s.Fatal(err)
	}
}
