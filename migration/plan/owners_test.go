package plan

import (
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

func owned(f *federation, cluster string, ref Ref, kind string) {
	next := f.members[cluster].objects[ref].DeepCopy()
	next.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "x/v1", Kind: kind, Name: "web", UID: "1", Controller: ptr.To(true)}})
	f.members[cluster].objects[ref] = next
	f.expect(cluster)
}

// A Secret that a controller in a member rotates stays static, and the record says whose it is.
func TestWhatAControllerOwnsStaysStatic(t *testing.T) {
	f := newFederation(t)
	secret := Ref{APIVersion: "v1", Kind: "Secret", Name: "web"}
	for name := range f.members {
		owned(f, name, secret, "ExternalSecret")
	}
	service := Ref{APIVersion: "v1", Kind: "Service", Name: "web"}
	marked := f.members["a"].objects[service].DeepCopy()
	marked.SetAnnotations(map[string]string{"meta.helm.sh/release-name": "shop"})
	f.members["a"].objects[service] = marked
	f.expect("a")
	f.settle(v1alpha1.PhaseFederated)
	if f.control.Templates[secret] != nil || f.control.Policies["secret-web"] != nil {
		t.Error("the Secret is in the control plane")
	}
	notes := map[string]string{}
	for _, resource := range f.status.Resources {
		notes[resource.Kind] = resource.Note
	}
	if !strings.Contains(notes["Secret"], "owned by ExternalSecret web in cluster") {
		t.Errorf("note of the Secret: %q", notes["Secret"])
	}
	if !strings.Contains(notes["Service"], "Helm release shop") {
		t.Errorf("note of the Service: %q", notes["Service"])
	}
	var out strings.Builder
	if err := Write(&out, f.status, true); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "ExternalSecret web") || !strings.Contains(text, "Helm release shop") {
		t.Errorf("the plan does not tell:\n%s", text)
	}
}

// A workload that another controller makes is not taken over: that controller would undo what Karmada writes.
func TestAnOwnedWorkloadIsRefused(t *testing.T) {
	f := newFederation(t)
	owned(f, "b", f.app, "Rollout")
	f.run(3)
	if f.status.Blocked != v1alpha1.ReasonAlreadyManaged || !strings.Contains(f.advancing().Message, "owned by Rollout web") {
		t.Errorf("%s: %+v", f.status.Blocked, f.advancing())
	}
}

// The next cluster waits while one that was opened before is silent: nobody knows how the application fares there.
func TestNothingOpensWhileAnOpenClusterIsSilent(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseOpening)
	for range 10 {
		if f.status.Clusters[0].State == v1alpha1.ClusterOpen {
			break
		}
		f.run(1)
	}
	f.members["a"].down = true
	f.run(5)
	if f.status.Clusters[1].State != v1alpha1.ClusterSuspended || f.status.Blocked != v1alpha1.ReasonClusterUnreachable {
		t.Errorf("clusters %+v, blocked by %q", f.status.Clusters, f.status.Blocked)
	}
	f.members["a"].down = false
	f.settle(v1alpha1.PhaseFederated)
}

// A federated application that is spread to a further cluster is followed there: the record names it, a rollback closes it, and it is
// adopted again there too, though the whitelist's entry names only those it came from (the sample spread-further).
func TestAFurtherClusterIsFollowed(t *testing.T) {
	f := newFederation(t)
	f.entry.Clusters = []string{"a", "b"}
	entry := f.entry
	f.settle(v1alpha1.PhaseFederated)
	f.members["c"], f.works["c"] = &member{objects: map[Ref]*unstructured.Unstructured{}, ready: true, kinds: servedKinds}, map[Ref]*Work{}
	widened := f.control.Policies["deployment-web"].DeepCopy()
	widened.Spec.Placement.ClusterAffinity.ClusterNames = []string{"a", "b", "c"}
	weights := &widened.Spec.Placement.ReplicaScheduling.WeightPreference.StaticWeightList
	*weights = append(*weights, policyv1alpha1.StaticClusterWeight{
		TargetCluster: policyv1alpha1.ClusterAffinity{ClusterNames: []string{"c"}}, Weight: 10,
	})
	f.control.Policies["deployment-web"] = widened
	for _, reaction := range reactions {
		reaction.run(f)
	}
	for name := range f.members {
		f.startPods(name)
		f.expect(name)
	}
	f.run(2)
	if len(f.status.Clusters) != 3 || f.status.Clusters[2].Name != "c" || f.status.Clusters[2].State != v1alpha1.ClusterOpen {
		t.Fatalf("clusters %+v, want c among them, open", f.status.Clusters)
	}
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	if work := f.works["c"][f.app]; work == nil || !work.Suspended || f.status.Clusters[2].State != v1alpha1.ClusterSuspended {
		t.Errorf("cut off, and in c: %+v, %+v", work, f.status.Clusters[2])
	}
	f.entry = entry
	f.settle(v1alpha1.PhaseFederated)
	if len(f.status.Clusters) != 3 || f.status.Clusters[2].State != v1alpha1.ClusterOpen || !f.status.Clusters[2].Spread {
		t.Errorf("adopted again in %+v, want c among them", f.status.Clusters)
	}
}

// A ConfigMap of which nearly a mebibyte differs between clusters, which no annotation of Karmada's could hold, stays static and is said so
// in the plan; the application comes in without it (the sample large-differences).
func TestLargeDifferencesStayStatic(t *testing.T) {
	f := newFederation(t)
	for name := range f.members {
		blob := strings.Repeat(name+strings.Repeat("x", 100), 8000)
		f.put(name, `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {blob: "`+blob+`"}}`)
	}
	f.settle(v1alpha1.PhaseFederated)
	if f.control.Templates[webConfig] != nil || f.control.Overrides["configmap-web"] != nil {
		t.Error("it is in the control plane")
	}
	for _, resource := range f.status.Resources {
		if resource.ResourceReference == webConfig && (resource.Policy != "" || !strings.Contains(resource.Note, "differs in")) {
			t.Errorf("the record says of it: %+v", resource)
		}
	}
	if f.onRecord("configmap-web") != nil {
		t.Error("it has a policy")
	}
}
