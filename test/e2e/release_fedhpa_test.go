package e2e

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// releasedUnderFedHPA: a member that is held scales by itself with the version it has, and one that is open with the new one. FedHPA's
// books agree.
func releasedUnderFedHPA(t *testing.T) {
	a := newAutoscaled(t)
	other := "member2"
	if !strings.Contains(a.once(a.askedFor("member1")), other) {
		other = "member3"
	}
	a.apply(t, a.ns, leakRelease)
	of := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: "web"}}
	letGoInTheEnd(t, a.planes, a.ns, "web")
	why := func() (string, error) {
		err := a.karmada.Get(t.Context(), client.ObjectKeyFromObject(of), of)
		return whyOf(of), err
	}
	a.g.Eventually(why, slow, "200ms").Should(Equal(v1alpha1.ReasonComplete))
	template := &appsv1.Deployment{}
	a.g.Expect(a.karmada.Get(t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web"}, template)).To(Succeed())
	before := template.DeepCopy()
	was := template.Spec.Template.Spec.Containers[0].Image
	template.Spec.Template.Spec.Containers[0].Image = "registry.example/web:next"
	a.g.Expect(a.karmada.Patch(t.Context(), template, client.MergeFrom(before))).To(Succeed())
	a.g.Eventually(why, slow, "200ms").Should(Equal(v1alpha1.ReasonAwaitingApproval))

	images := func() (string, error) {
		var out []string
		for _, name := range []string{"member1", other} {
			var in appsv1.Deployment
			if err := a.planes.members[name].Get(t.Context(), client.ObjectKeyFromObject(template), &in); err != nil {
				return "", err
			}
			out = append(out, in.Spec.Template.Spec.Containers[0].Image)
		}
		return strings.Join(out, " "), nil
	}
	want := "registry.example/web:next " + was
	a.g.Expect(answered(t, images)()).To(Equal(want))
	a.load("member1", 200)
	a.load(other, 250)
	a.g.Eventually(func() string {
		return fmt.Sprintf("%t %t", a.replicas("member1") >= 4, a.replicas(other) >= 5)
	}, slow, "500ms").Should(Equal("true true"), "both members scale")
	a.g.Expect(answered(t, images)()).To(Equal(want))
	a.g.Eventually(a.conditions, slow, "500ms").Should(Equal(allTrue))
	a.g.Eventually(why, slow, "200ms").Should(Equal(v1alpha1.ReasonAwaitingApproval), "what is open stays well while it scales")
}
