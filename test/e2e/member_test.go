package e2e

import (
	"context"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestStoppedMemberComesBack cuts a member's power: Karmada notices, and when it is back the
// member is Ready with the data it had.
func TestStoppedMemberComesBack(t *testing.T) {
	g := NewWithT(t)
	p := federation(t)
	member := p.members["member2"]
	ready := func() (bool, error) {
		var cluster clusterv1alpha1.Cluster
		err := p.karmada.Get(t.Context(), client.ObjectKey{Name: "member2"}, &cluster)
		return meta.IsStatusConditionTrue(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady), err
	}
	// A story before this one may have stopped it too.
	g.Eventually(ready, slow, "500ms").Should(BeTrue())
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kept"}, Data: map[string]string{"a": "b"}}
	g.Expect(member.Create(t.Context(), kept)).To(Succeed())
	t.Cleanup(func() {
		if err := member.Delete(context.Background(), kept); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})

	g.Expect(p.lab.Stop(t.Context(), "member2")).To(Succeed())
	t.Cleanup(func() {
		if err := p.lab.Start(context.Background(), "member2"); err != nil {
			t.Errorf("starting member2: %v", err)
		}
	})
	g.Expect(member.Get(t.Context(), client.ObjectKeyFromObject(kept), &corev1.ConfigMap{})).
		NotTo(Succeed(), "a stopped member answers nobody")
	g.Eventually(ready, "8m", "500ms").Should(BeFalse(), "Karmada notices")

	g.Expect(p.lab.Start(t.Context(), "member2")).To(Succeed())
	g.Eventually(ready, slow, "500ms").Should(BeTrue())
	var after corev1.ConfigMap
	g.Eventually(func() error { return member.Get(t.Context(), client.ObjectKeyFromObject(kept), &after) }, slow, "500ms").Should(Succeed())
	g.Expect(after.UID).To(Equal(kept.UID), "the member kept its data")
}
