package migration

import (
	"strings"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// A cluster in push mode is unjoined while an application that is cut off, and was released statically since, has Works for it. No
// webhook is asked about a Cluster, so karmadactl only waits in vain: the deletion gets no further than the execution namespace. By
// force the Cluster goes all the same, and leaves namespace and Works behind; joined again, it is as before. No member object is
// touched; when the application has left, the cluster goes, and nothing of the application with it.
func TestUnjoin(t *testing.T) {
	pushed(t)
	app := static.App{
		Namespace: "unjoined", Name: "unjoined", Kind: "Deployment", Image: "unjoined:1", Replicas: map[string]int64{"member1": 2, pulled: 3},
	}
	s := newStory(t, app)
	s.list(0, app)
	s.reach(app, v1alpha1.PhaseFederated)
	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.configure(app, "debug")
	s.unchanged()

	cluster := &clusterv1alpha1.Cluster{}
	unjoin := func(flag string) (string, error) {
		t.Helper()
		return karmadactl(t.Context(), "unjoin", pulled, "--wait=3s", "--kubeconfig="+world.lab.Kubeconfigs["karmada"], flag)
	}
	waitsInVain := func() {
		t.Helper()
		out, err := unjoin("--cluster-kubeconfig=" + world.lab.Kubeconfigs[pulled])
		if err == nil {
			t.Fatalf("unjoined while an application has Works there:\n%s", out)
		}
		t.Log(out)
		if err := world.karmada.Get(t.Context(), client.ObjectKey{Name: pulled}, cluster); err != nil || cluster.DeletionTimestamp.IsZero() {
			t.Fatalf("the cluster is not being deleted: %v", err)
		}
	}
	waitsInVain()
	// What a person asks to learn whom the cluster waits for.
	space := &corev1.Namespace{}
	space.Name = names.GenerateExecutionSpaceName(pulled)
	if err := world.karmada.Delete(t.Context(), space, client.DryRunAll); err == nil ||
		!strings.Contains(err.Error(), "unjoined/deployment/unjoined") {
		t.Errorf("deletion of the execution namespace: %v, want a refusal that names the application", err)
	}
	var works workv1alpha1.WorkList
	if err := world.karmada.List(t.Context(), &works, client.InNamespace(space.Name)); err != nil || len(works.Items) == 0 {
		t.Errorf("Works of the cluster: %d, %v", len(works.Items), err)
	}
	s.unchanged()

	// Who updates the Cluster at the same moment keeps its finalizer there, of which karmadactl says nothing: it is called again.
	s.Eventually(func() error {
		if out, err := unjoin("--force"); err != nil {
			t.Logf("unjoin --force: %v\n%s", err, out)
		}
		return world.karmada.Get(t.Context(), client.ObjectKey{Name: pulled}, cluster)
	}, machine.Patience, look).Should(WithTransform(apierrors.IsNotFound, BeTrue()), "after --force the cluster is there")
	work := &workv1alpha1.Work{}
	if err := world.karmada.Get(t.Context(), client.ObjectKey{Namespace: space.Name,
		Name: names.GenerateWorkName(app.Kind, app.Name, app.Namespace)}, work); err != nil || !work.DeletionTimestamp.IsZero() {
		t.Errorf("after --force the Work of the application: deleted %v, %v", work.DeletionTimestamp, err)
	}
	s.unchanged()
	unregistered(t)
	join(t)
	s.unchanged()
	waitsInVain()

	s.leave(app)
	s.Eventually(func() bool {
		return apierrors.IsNotFound(world.karmada.Get(t.Context(), client.ObjectKey{Name: pulled}, cluster))
	}, machine.Patience, look).
		Should(BeTrue(), "the cluster is not unjoined though the application left")
	s.unchanged()
	if got := s.configured(app); got != "debug" {
		t.Errorf("the ConfigMap is at level %s, want debug as it was released", got)
	}
}

// pushed joins the member in pull mode in push mode instead, for one story.
func pushed(t *testing.T) {
	t.Helper()
	if out, err := unregister(t.Context()); err != nil {
		t.Fatalf("unregister: %s", out)
	}
	t.Cleanup(func() { register(t) })
	if err := world.lab.Stop(t.Context(), pulledAgent); err != nil {
		t.Fatal(err)
	}
	unregistered(t)
	join(t)
}

func join(t *testing.T) {
	t.Helper()
	if out, err := karmadactl(t.Context(), "join", pulled, "--kubeconfig="+world.lab.Kubeconfigs["karmada"],
		"--cluster-kubeconfig="+world.lab.Kubeconfigs[pulled]); err != nil {
		t.Fatalf("join: %s", out)
	}
	NewWithT(t).Eventually(func() bool {
		cluster := &clusterv1alpha1.Cluster{}
		err := world.karmada.Get(t.Context(), client.ObjectKey{Name: pulled}, cluster)
		return err == nil && meta.IsStatusConditionTrue(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady)
	}, machine.Patience, look).Should(BeTrue(), pulled+" does not become Ready")
}
