package vm

import (
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestUserDataTakenAway after the machines booted: it is missed where a machine is to be made, and an edited template reaches those that
// run.
func TestUserDataTakenAway(t *testing.T) {
	w := newWorld(t)
	w.lead()
	boot := func() *corev1.Secret {
		return &corev1.Secret{ObjectMeta: w.meta("boot"), Data: map[string][]byte{"userData": []byte("#cloud-config\n")}}
	}
	set := w.set("web", 1)
	set.Spec.Template.Spec.Machine.UserDataRef = &v1alpha1.LocalReference{Name: "boot"}
	w.create(boot(), set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))

	w.Expect(api.Delete(w.ctx, boot())).To(gomega.Succeed())
	change(w, set, func(s *v1alpha1.VMReplicaSet) {
		s.Spec.Template.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "front", Pool: "front", Port: 80}}
	})
	w.Eventually(func() int { return len(w.server("web-1").Spec.LoadBalancers) }).Should(gomega.Equal(1))
	says := func() string { return w.says("web", v1alpha1.ConditionReplicaFailure) }
	const noBoot = `reading Secret boot (machine.userDataRef): secrets "boot" not found`
	w.Eventually(says).Should(gomega.Equal("False NoReplicaFailure: nothing is in the way, and the next machine could not be made: " + noBoot))

	w.scale(set, 2)
	w.Eventually(says).Should(gomega.Equal("True SettingsMissing: " + noBoot))
	w.Expect(w.machines()).To(gomega.Equal([]string{"web-1"}))
	w.create(boot())
	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Annotations = map[string]string{"look": "again"} })
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.Eventually(says).Should(gomega.Equal("False NoReplicaFailure: nothing is in the way"))
}
