package migration

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// What only real API servers refuse: a node port that somebody has in the control plane; the content of an immutable ConfigMap, and
// a Deployment's selector, that the owners replaced while the application was cut off. It is said, with what to do, and no member
// notices. What was put back comes in again; what shall stay leaves, and comes in anew.
func TestBadInput(t *testing.T) {
	t.Parallel()
	app := static.App{Namespace: "bad", Name: "bad", Kind: "Deployment", Image: "bad:1",
		Replicas: map[string]int64{"member1": 2, "member2": 1},
		NodePort: map[string]int64{"member1": 30010, "member2": 30010}}
	// (Ports below 30086 are given to nobody who asks for none.)
	taken := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "taken"}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30010}},
	}}
	if err := world.karmada.Create(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	s := newStory(t, app)
	s.config(app, "the first", false)
	s.list(0, app)
	s.writeRefused(app, "provided port is already allocated", "change what it names")
	s.Expect(world.karmada.Delete(t.Context(), taken)).To(Succeed())
	s.reach(app, v1alpha1.PhaseFederated)
	s.unchanged()

	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.config(app, "the second", true)
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = []v1alpha1.WhitelistEntry{entryOf(app)} })
	s.writeRefused(app, "configmap/bad has another data in the members")
	s.config(app, "the first", true)
	s.reach(app, v1alpha1.PhaseFederated)
	s.unchanged()

	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.reselect(app)
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = []v1alpha1.WhitelistEntry{entryOf(app)} })
	s.writeRefused(app, "'leave') and list it anew")
	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	s.leave(app)
	s.unchanged()
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = []v1alpha1.WhitelistEntry{entryOf(app)} })
	s.reach(app, v1alpha1.PhaseFederated)
	s.unchanged()
}

// reselect deletes the workload in every member and makes it anew, with a selector that asks for more.
func (s *story) reselect(app static.App) {
	s.Helper()
	former := s.before[app.Name]
	for _, name := range app.Members() {
		live := workload(app)
		s.Expect(world.members[name].Get(s.Context(), client.ObjectKeyFromObject(live), live)).To(Succeed())
		s.Expect(world.members[name].Delete(s.Context(), live, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		anew := policy.Template(live)
		for _, field := range [][]string{{"spec", "selector", "matchLabels", "tier"}, {"spec", "template", "metadata", "labels", "tier"}} {
			s.Expect(unstructured.SetNestedField(anew.Object, "front", field...)).To(Succeed())
		}
		s.Expect(world.members[name].Create(s.Context(), anew)).To(Succeed())
	}
	s.Eventually(func(g Gomega) {
		pods, err := app.Pods(s.Context(), world.members)
		g.Expect(err).NotTo(HaveOccurred())
		for name := range pods {
			g.Expect(former).NotTo(HaveKey(name), "a pod of the workload that was deleted")
		}
	}, machine.Patience, look).Should(Succeed())
	s.remember()
}

// config makes the application's ConfigMap immutable in every member, anew when it is so already.
func (s *story) config(app static.App, content string, anew bool) {
	s.Helper()
	for _, name := range app.Members() {
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}}
		if anew {
			s.Expect(world.members[name].Delete(s.Context(), config)).To(Succeed())
			config = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}}
			config.Data, config.Immutable = map[string]string{"content": content}, ptr.To(true)
			s.Expect(world.members[name].Create(s.Context(), config)).To(Succeed())
			continue
		}
		s.Expect(world.members[name].Get(s.Context(), client.ObjectKeyFromObject(config), config)).To(Succeed())
		config.Data, config.Immutable = map[string]string{"content": content}, ptr.To(true)
		s.Expect(world.members[name].Update(s.Context(), config)).To(Succeed())
	}
}

// writeRefused waits until the control plane's refusal is on record, with what to do about it.
func (s *story) writeRefused(app static.App, want ...string) {
	s.Helper()
	for _, part := range append(want, v1alpha1.ReasonWriteRefused) {
		s.Eventually(func() string { return describe(s.migration(app)) }, machine.Patience, look).Should(ContainSubstring(part))
	}
	if management := s.migration(app).Status.Management; management != v1alpha1.ManagementStatic {
		s.Errorf("managed: %s while its template is refused", management)
	}
	s.unchanged()
}
