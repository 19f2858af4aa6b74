package migration

import (
	"context"
	"slices"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// awakeFlags have Karmada do what it can do to an application that is none of its own any more: evict from tainted clusters, and let one
// policy take templates from another.
var awakeFlags = map[string][]string{"karmada/controller-manager": {
	"--enable-no-execute-taint-eviction=true", "--feature-gates=Failover=true,PropagationPolicyPreemption=true",
}}

// The world around a migration is awake: a controller in the members rotates a Secret, Karmada evicts from a cluster, a policy takes a
// template from another, a descheduler runs. Static stays static, what waits is not touched, and what somebody owns stays theirs. It
// taints a cluster, and so comes before the stories that run side by side.
func TestTheWorldAroundIsAwake(t *testing.T) {
	app := static.App{Namespace: "awake", Name: "awake", Kind: "Deployment", Image: "awake:1",
		Replicas: map[string]int64{"member1": 2, "member2": 1}}
	s := newStory(t, app)
	rotated := s.owned(app)
	s.list(0, app)
	s.reach(app, v1alpha1.PhaseFederated)
	s.stillOwned(app, rotated)

	waits := static.App{Namespace: "awake-waits", Name: "waits", Kind: "CloneSet", Image: "waits:1",
		Replicas: map[string]int64{"member1": 1, "member2": 1}}
	w := newStory(t, waits)
	w.list(2, waits)
	w.reach(waits, v1alpha1.PhaseAwaitingApproval)

	s.drop(app)
	s.reach(app, v1alpha1.PhaseCutOff)
	app.Image = "awake:2"
	s.apps = []static.App{app}
	if err := app.Release(t.Context(), world.members); err != nil {
		t.Fatal(err)
	}
	s.remember()

	s.evictedFrom("member1")
	for _, one := range []*story{s, w} {
		one.closed()
		one.unchanged()
	}
	s.usurped(app)
	s.closed()
	s.unchanged()
	if phase := w.migration(waits).Status.Phase; phase != v1alpha1.PhaseAwaitingApproval {
		t.Errorf("what waited for approvals is %s", phase)
	}
}

// owned makes the application's Secret a controller's in every member, as External Secrets makes those it writes.
func (s *story) owned(app static.App) map[string]*corev1.Secret {
	s.Helper()
	out := map[string]*corev1.Secret{}
	for _, name := range app.Members() {
		rotation := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "rotation"}}
		if err := world.members[name].Create(s.Context(), rotation); err != nil {
			s.Fatal(err)
		}
		secret := &corev1.Secret{}
		if err := world.members[name].Get(s.Context(), client.ObjectKey{Namespace: app.Namespace, Name: app.Name}, secret); err != nil {
			s.Fatal(err)
		}
		secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: rotation.Name, UID: rotation.UID,
			Controller: ptr.To(true)}}
		if err := world.members[name].Update(s.Context(), secret); err != nil {
			s.Fatal(err)
		}
		out[name] = secret
	}
	return out
}

// stillOwned rotates the Secret while the application is federated: nobody undoes that, since it is not in the control plane.
func (s *story) stillOwned(app static.App, secrets map[string]*corev1.Secret) {
	s.Helper()
	for _, secret := range secrets {
		template := &corev1.Secret{}
		if err := world.karmada.Get(s.Context(), client.ObjectKeyFromObject(secret), template); !apierrors.IsNotFound(err) {
			s.Errorf("the Secret that a controller owns is in the control plane: %v", err)
		}
	}
	for name, secret := range secrets {
		secret.StringData = map[string]string{"token": "rotated"}
		if err := world.members[name].Update(s.Context(), secret); err != nil {
			s.Fatal(err)
		}
	}
	s.Consistently(func() []string {
		var got []string
		for name, secret := range secrets {
			if err := world.members[name].Get(s.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
				return []string{err.Error()}
			}
			got = append(got, string(secret.Data["token"]))
		}
		return got
	}, 4*time.Second, look).Should(Equal([]string{"rotated", "rotated"}))
	noted := slices.ContainsFunc(s.migration(app).Status.Resources, func(resource v1alpha1.ResourceStatus) bool {
		return resource.Kind == "Secret" && resource.Policy == "" && resource.Note != ""
	})
	if !noted {
		s.Errorf("the record does not say whose the Secret is: %+v", s.migration(app).Status.Resources)
	}
}

// evictedFrom taints a cluster and waits until Karmada has evicted what does not tolerate that: a ConfigMap of an ordinary policy.
func (s *story) evictedFrom(cluster string) {
	s.Helper()
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "awake-evicted"}}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home.Name, Name: "evicted"}}
	ordinary := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: home.Name, Name: "evicted"}}
	ordinary.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: "v1", Kind: "ConfigMap", Name: config.Name}}
	ordinary.Spec.Placement.ClusterAffinity = &policyv1alpha1.ClusterAffinity{ClusterNames: []string{cluster, "member2"}}
	for _, object := range []client.Object{home, ordinary, config} {
		if err := world.karmada.Create(s.Context(), object); err != nil {
			s.Fatal(err)
		}
	}
	in := func() bool {
		binding := &workv1alpha2.ResourceBinding{}
		key := client.ObjectKey{Namespace: home.Name, Name: names.GenerateBindingName("ConfigMap", config.Name)}
		if err := client.IgnoreNotFound(world.karmada.Get(s.Context(), key, binding)); err != nil {
			s.Fatal(err)
		}
		return slices.ContainsFunc(binding.Spec.Clusters, func(target workv1alpha2.TargetCluster) bool { return target.Name == cluster })
	}
	s.Eventually(in, machine.Patience, look).Should(BeTrue())
	s.taint(cluster, []corev1.Taint{{Key: "awake.argosy.dev/away", Effect: corev1.TaintEffectNoExecute}})
	s.Cleanup(func() { s.taint(cluster, nil) })
	s.Eventually(in, machine.Patience, look).Should(BeFalse())
}

func (s *story) taint(cluster string, taints []corev1.Taint) {
	s.Helper()
	err := retry.RetryOnConflict(busy, func() error {
		member := &clusterv1alpha1.Cluster{}
		if err := world.karmada.Get(withoutEnd(s), client.ObjectKey{Name: cluster}, member); err != nil {
			return err
		}
		member.Spec.Taints = taints
		return world.karmada.Update(withoutEnd(s), member)
	})
	if err != nil {
		s.Fatal(err)
	}
}

// closed says that the Works of the story's workloads are there, suspended and preserving, in every cluster.
func (s *story) closed() {
	s.Helper()
	for _, app := range s.apps {
		for _, cluster := range app.Members() {
			work := &workv1alpha1.Work{}
			key := client.ObjectKey{Namespace: names.GenerateExecutionSpaceName(cluster),
				Name: names.GenerateWorkName(app.Kind, app.Name, app.Namespace)}
			if err := world.karmada.Get(s.Context(), key, work); err != nil {
				s.Errorf("the Work of %s for %s: %v", app.Name, cluster, err)
				continue
			}
			if !work.DeletionTimestamp.IsZero() || !ptr.Deref(work.Spec.SuspendDispatching, false) ||
				!ptr.Deref(work.Spec.PreserveResourcesOnDeletion, false) {
				s.Errorf("the Work of %s for %s: deleted %v, %+v", app.Name, cluster, work.DeletionTimestamp, work.Spec)
			}
		}
	}
}

// usurped has a policy of higher priority take the template of what is cut off, and waits until Karmada gave it that.
func (s *story) usurped(app static.App) {
	s.Helper()
	usurper := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: "usurper"}}
	usurper.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: app.APIVersion(), Kind: app.Kind, Name: app.Name}}
	usurper.Spec.Placement.ClusterAffinity = &policyv1alpha1.ClusterAffinity{ClusterNames: []string{"member2"}}
	usurper.Spec.Preemption, usurper.Spec.Priority = policyv1alpha1.PreemptAlways, ptr.To[int32](100)
	if err := world.karmada.Create(s.Context(), usurper); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = world.karmada.Delete(withoutEnd(s), usurper) })
	s.Eventually(func() string {
		template := workload(app)
		if err := world.karmada.Get(s.Context(), client.ObjectKeyFromObject(template), template); err != nil {
			return err.Error()
		}
		return template.GetAnnotations()[policyv1alpha1.PropagationPolicyNameAnnotation]
	}, machine.Patience, look).Should(Equal(usurper.Name))
	s.Eventually(func() []string {
		binding := &workv1alpha2.ResourceBinding{}
		key := client.ObjectKey{Namespace: app.Namespace, Name: names.GenerateBindingName(app.Kind, app.Name)}
		if err := world.karmada.Get(s.Context(), key, binding); err != nil || binding.Spec.Placement == nil ||
			binding.Spec.Placement.ClusterAffinity == nil {
			return nil
		}
		return binding.Spec.Placement.ClusterAffinity.ClusterNames
	}, machine.Patience, look).Should(Equal([]string{"member2"}))
	// Karmada now goes on to write Works that are not suspended, and is refused; what it would write reaches members in a moment.
	s.Consistently(func() string {
		spec, _, err := app.Spec(s.Context(), world.members["member1"])
		if err != nil {
			return err.Error()
		}
		containers := spec["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)
		return containers[0].(map[string]any)["image"].(string)
	}, 4*time.Second, look).Should(Equal(app.Image))
}

func withoutEnd(s *story) context.Context { return context.WithoutCancel(s.Context()) }
