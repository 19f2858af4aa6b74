package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

const unreachableManifests = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: $NS, name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:v1", resources: {requests: {cpu: 10m, memory: 16Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: $NS, name: api}
spec:
  replicas: 4
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
      - {name: api, image: "registry.example/api:v1", resources: {requests: {cpu: 10m, memory: 16Mi}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web-cloneset}
spec:
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  - {apiVersion: apps/v1, kind: Deployment, name: api}
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {staticWeightList: [
        {targetCluster: {clusterNames: [member1]}, weight: 1}, {targetCluster: {clusterNames: [member2]}, weight: 1}]}
`

// unreachableServers are a machine in each of two members, and the release for them. A person says that they are Ready as they are: what
// counts is what is known of them.
const unreachableServers = `
apiVersion: v1
kind: Secret
metadata: {namespace: $NS, name: machines}
stringData: {token: lab}
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMReplicaSet
metadata: {namespace: $NS, name: shop}
spec:
  replicas: 2
  removalPolicy: Delete
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      machine: {driver: http, class: small, image: lab/debian-12, credentialsRef: {name: machines}}
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMDeployment
metadata: {namespace: $NS, name: shop}
spec:
  targetRef: {name: shop}
  release: {version: 1.0.0, artifact: "http://artifacts.example.com/shop/1.0.0.tar",
    checksum: "sha256:3be987727e880dcf8ec2ca79fca8d9d2394b3036128038d6bbb61f497bae35e8"}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: shop}
spec:
  propagateDeps: true
  resourceSelectors: [{apiVersion: vm.argosy.dev/v1alpha1, kind: VMReplicaSet, name: shop}]
  placement:
    clusterTolerations:
    - {key: cluster.karmada.io/not-ready, operator: Exists, effect: NoExecute}
    - {key: cluster.karmada.io/unreachable, operator: Exists, effect: NoExecute}
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {staticWeightList: [
        {targetCluster: {clusterNames: [member1]}, weight: 1}, {targetCluster: {clusterNames: [member2]}, weight: 1}]}
`

// serve says in the name of a person that the server of each member is Ready, once its machine runs.
func (p planes) serve(g *WithT, ns string, members ...string) {
	for _, member := range members {
		server := &vmv1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop-1"}}
		g.Eventually(func() (vmv1alpha1.MachineState, error) {
			err := p.members[member].Get(context.Background(), client.ObjectKeyFromObject(server), server)
			if err != nil || server.Status.Machine == nil {
				return "", err
			}
			return server.Status.Machine.State, nil
		}, slow, "200ms").Should(Equal(vmv1alpha1.MachineRunning))
		ready := client.RawPatch("application/merge-patch+json",
			[]byte(`{"spec":{"override":{"state":"Ready","mode":"Hold","reason":"it serves as it is"}}}`))
		g.Expect(p.members[member].Patch(context.Background(), server, ready)).To(Succeed())
	}
}

// available is what the release says of the servers of all members.
func (p planes) available(ns string) func() (string, error) {
	return func() (string, error) {
		release := &vmv1alpha1.VMDeployment{}
		if err := p.karmada.Get(context.Background(), client.ObjectKey{Namespace: ns, Name: "shop"}, release); err != nil {
			return "", err
		}
		c := meta.FindStatusCondition(release.Status.Conditions, vmv1alpha1.ConditionAvailable)
		if c == nil {
			return "nothing", nil
		}
		return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message), nil
	}
}

// TestReplicasOfAnUnreachableMember do not count as ready, and do again when it is back; nothing else of the template changes. So it is
// of a kind that we interpret whole, and of one of whose questions Karmada answers most itself. Whether the servers of a release are
// available nobody knows meanwhile.
func TestReplicasOfAnUnreachableMember(t *testing.T) {
	g := NewWithT(t)
	p := federation(t)
	ns := newNamespace(t, p)
	status := func() (string, error) {
		said := ""
		for _, object := range []client.Object{
			&kruisev1alpha1.CloneSet{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "api"}},
		} {
			if err := p.karmada.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: object.GetName()}, object); err != nil {
				return "", err
			}
			var now struct {
				Status struct {
					Replicas      int32              `json:"replicas"`
					ReadyReplicas int32              `json:"readyReplicas"`
					Conditions    []metav1.Condition `json:"conditions"`
				} `json:"status"`
			}
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			if err == nil {
				err = runtime.DefaultUnstructuredConverter.FromUnstructured(content, &now)
			}
			if err != nil {
				return "", err
			}
			said += fmt.Sprintf("%s: %d replicas, %d ready", object.GetName(), now.Status.Replicas, now.Status.ReadyReplicas)
			for _, c := range now.Status.Conditions {
				if c.Type == "MembersReported" {
					head, _, _ := strings.Cut(c.Message, " (")
					said += fmt.Sprintf(", %s: %s", c.Reason, head)
				}
			}
			said += ". "
		}
		return said, nil
	}
	const all = "web: 4 replicas, 4 ready. api: 4 replicas, 4 ready. "
	p.apply(t, ns, unreachableManifests)
	p.apply(t, ns, unreachableServers)
	p.serve(g, ns, "member1", "member2")
	g.Eventually(status, slow, "200ms").Should(Equal(all))
	g.Eventually(p.available(ns), slow, "200ms").Should(HavePrefix("True "))
	g.Expect(p.lab.Stop(t.Context(), "member2")).To(Succeed())
	t.Cleanup(func() {
		if err := p.lab.Start(context.Background(), "member2"); err != nil {
			t.Errorf("starting member2: %v", err)
		}
	})
	g.Eventually(status, slow, "200ms").Should(Equal(
		"web: 4 replicas, 2 ready, MemberUnreachable: member2 cannot be asked. " +
			"api: 4 replicas, 2 ready, MemberUnreachable: member2 cannot be asked. "))
	g.Eventually(p.available(ns), slow, "200ms").Should(MatchRegexp("^Unknown .*member2"))
	g.Expect(p.lab.Start(t.Context(), "member2")).To(Succeed())
	g.Eventually(status, slow, "200ms").Should(Equal(all))
	g.Eventually(p.available(ns), slow, "200ms").Should(HavePrefix("True "))
}
