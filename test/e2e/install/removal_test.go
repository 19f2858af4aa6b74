package install

import (
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

func (r *release) upgrade(t *testing.T) {
	before := r.ours(t)
	next, gone := r.upgradeTo(t, values+"webhook: {replicas: 3}\nnetworkPolicy: {enabled: false}\n", func(next rendered) {
		r.startPod(t, "argosy-webhook", "argosy-webhook-2", next.deployment(t, "argosy-webhook").Spec.Template.Spec)
	})
	if gone == 0 {
		t.Error("the upgrade takes nothing away: this test proves nothing")
	}
	// The renewal job finds everything in order and its own rights enough.
	r.runJob(t, next.job(t, "argosy-renew"))
	if after := r.ours(t); !slices.Equal(before, after) {
		t.Errorf("the upgrade changed what is installed in karmada-apiserver:\n%v\n%v", before, after)
	}
}

// upgradeTo does what helm upgrade does, and between the release's objects and the last hook what nodes do. It returns how many objects
// went.
func (r *release) upgradeTo(t *testing.T, values string, nodes func(rendered)) (next rendered, gone int) {
	t.Helper()
	next = render(t, r.lab.Root, values, "-upgrade")
	former := slices.DeleteFunc(slices.Clone(r.chart.objects), func(u *unstructured.Unstructured) bool {
		return slices.ContainsFunc(next.objects, func(n *unstructured.Unstructured) bool { return key(n) == key(u) })
	})
	r.apply(t, next.hookObjects())
	r.runJob(t, next.job(t, "argosy-prepare"))
	r.apply(t, next.objects)
	r.delete(t, former)
	nodes(next)
	r.runJob(t, next.job(t, "argosy-register"))
	r.delete(t, next.hookObjects())
	r.chart = next
	return next, len(former)
}

// ours is everything in karmada-apiserver that bears the installer's label or the estimator's, but kinds.
func (r *release) ours(t *testing.T) []string {
	t.Helper()
	config, err := r.lab.Karmada()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := lab.Labelled(t.Context(), lab.Patient(config), "app.kubernetes.io/managed-by in (argosy-install, argosy-estimator)")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, object := range objects {
		if object.GetKind() != "CustomResourceDefinition" {
			out = append(out, key(&object))
		}
	}
	slices.Sort(out)
	return out
}

func key(u *unstructured.Unstructured) string {
	return u.GetKind() + " " + filepath.Join(u.GetNamespace(), u.GetName())
}

func (r *release) uninstall(t *testing.T) {
	if err := r.karmada.List(t.Context(), &autoscalingv1alpha1.CronHPAList{}); err != nil {
		t.Fatal(err)
	}
	r.apply(t, r.chart.hookObjects())
	r.runJob(t, r.chart.job(t, "argosy-uninstall"))
	r.delete(t, r.chart.hookObjects())
	r.delete(t, r.chart.objects)
	r.stopAll()
	g := NewWithT(t)
	g.Eventually(func() []string { return r.ours(t) }).WithTimeout(machine.Patience).Should(BeEmpty())
	secrets, err := r.clients.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	var left []string
	for _, secret := range secrets.Items {
		left = append(left, secret.Name)
	}
	if err != nil || !slices.Equal(left, []string{"karmada-cert", "karmada-kubeconfig"}) {
		t.Errorf("secrets of the host cluster: %v, %v; want the user's alone", left, err)
	}
	r.noOrphans(t)
	for _, cron := range r.crons {
		if err := r.karmada.Get(t.Context(), client.ObjectKeyFromObject(cron), cron); err != nil || cron.DeletionTimestamp != nil {
			t.Errorf("the user's CronHPA %s: %v", cron.Name, err)
		}
	}
}

// noOrphans looks for what the chart made, kind by kind.
func (r *release) noOrphans(t *testing.T) {
	t.Helper()
	for _, object := range append(slices.Clone(r.chart.objects), r.chart.hookObjects()...) {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(object.GetAPIVersion())
		list.SetKind(object.GetKind() + "List")
		if err := r.objects.List(t.Context(), list, client.InNamespace(namespace),
			client.MatchingLabels{"app.kubernetes.io/part-of": "argosy"}); err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			if item.GetDeletionTimestamp() == nil {
				t.Errorf("%s is left in the host cluster", key(&item))
			}
		}
	}
}
