package component

import (
	"testing"

	"github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// TestHostOfAnother: who came first keeps the host, and the other is told whose it is and serves within the cluster all the same.
func TestHostOfAnother(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	at := func(name, path string) *v1alpha1.Component {
		c := w.five(name)
		c.Spec.Ingress = &v1alpha1.IngressSpec{Host: w.namespace + ".example.com", Path: path}
		return c
	}
	w.create(at("first", "/"))
	w.says("first", v1alpha1.ConditionRendered, "True Rendered")
	w.create(at("second", "/"))
	message := w.says("second", v1alpha1.ConditionRendered, "False ObjectTaken")
	w.Expect(message).To(gomega.ContainSubstring(w.namespace + ".example.com/ is Component " + w.namespace + "/first's already"))
	w.Expect(w.get(&networkingv1.Ingress{ObjectMeta: w.meta("second")})).To(gomega.BeFalse())
	w.deployment("second")

	change(w, w.five("second"), func(c *v1alpha1.Component) { c.Spec.Ingress.Path = "/second" })
	w.says("second", v1alpha1.ConditionRendered, "True Rendered")
	w.Expect(w.get(&networkingv1.Ingress{ObjectMeta: w.meta("second")})).To(gomega.BeTrue())
	w.says("first", v1alpha1.ConditionRendered, "True Rendered")
}
