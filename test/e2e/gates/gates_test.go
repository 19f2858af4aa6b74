package gates

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// byItself is less than the five minutes after which Karmada's scheduler tries an unschedulable binding again, or lets go of the room it
// holds, whatever happened.
const byItself = 4 * time.Minute

// podCPU is such that two fit into a node of eight.
const podCPU = "3500m"

// fleet is a CloneSet and its policy, whose placement is left to the story.
func fleet(name string, replicas int, labels, spec string) string {
	return fmt.Sprintf(`
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: $NS, name: %[1]s, labels: {%[3]s}}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: web, image: "registry.example/web:v1", resources: {requests: {cpu: %[5]s}}}]}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: %[1]s}
spec:
  resourceSelectors: [{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: %[1]s}]
%[4]s
`, name, replicas, labels, spec, podCPU)
}

// byRoom divides by the room that estimators tell of.
const byRoom = `
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}`

func in(clusters string) string {
	return "  placement:\n    clusterAffinity: {clusterNames: [" + clusters + "]}" + byRoom
}

func (s *story) eventually(see func() string, want string) {
	s.t.Helper()
	NewWithT(s.t).Eventually(see, byItself, "200ms").Should(Equal(want))
}

func (s *story) binding(name string) *workv1alpha2.ResourceBinding {
	binding := &workv1alpha2.ResourceBinding{}
	if err := s.karmada.Get(s.t.Context(), client.ObjectKey{Namespace: s.ns, Name: name + "-cloneset"}, binding); err != nil {
		binding.Spec.Clusters = nil
	}
	return binding
}

// division is what the binding says, and what runs: "member1 4/4, member2 2/2".
func (s *story) division(name string) func() string {
	return func() string {
		var out []string
		for _, target := range s.binding(name).Spec.Clusters {
			var pods corev1.PodList
			err := s.members[target.Name].List(s.t.Context(), &pods, client.InNamespace(s.ns), client.MatchingLabels{"app": name})
			if err != nil {
				return err.Error()
			}
			running := 0
			for i := range pods.Items {
				if slices.ContainsFunc(pods.Items[i].Status.Conditions, func(c corev1.PodCondition) bool {
					return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
				}) {
					running++
				}
			}
			out = append(out, fmt.Sprintf("%s %d/%d", target.Name, target.Replicas, running))
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
}

func (s *story) scheduled(name string) string {
	condition := meta.FindStatusCondition(s.binding(name).Status.Conditions, workv1alpha2.Scheduled)
	if condition == nil {
		return "not looked at"
	}
	return string(condition.Status) + " " + condition.Reason
}

// health of the workload in the one member it is in.
func (s *story) health(name string) func() string {
	return func() string {
		items := s.binding(name).Status.AggregatedStatus
		if len(items) != 1 {
			return fmt.Sprintf("reported by %d members", len(items))
		}
		return string(items[0].Health)
	}
}

// scale CloneSet web.
func (s *story) scale(replicas int) {
	s.t.Helper()
	object := &kruisev1alpha1.CloneSet{}
	object.Namespace, object.Name = s.ns, "web"
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	if err := s.karmada.Patch(s.t.Context(), object, patch); err != nil {
		s.t.Fatal(err)
	}
}

// TestMultiplePodTemplates: with the gate Karmada asks for components first, and a kind that has them is not divided. Ours offer none, so
// that they are divided as ever, also when they are scaled.
func TestMultiplePodTemplates(t *testing.T) {
	s := newStory(t)
	s.apply(fleet("web", 6, "", in("member1, member2")))
	s.eventually(s.division("web"), "member1 3/3, member2 3/3")
	s.scale(8)
	s.eventually(s.division("web"), "member1 4/4, member2 4/4")
	if spec := s.binding("web").Spec; len(spec.Components) > 0 || spec.Replicas != 8 || spec.ReplicaRequirements == nil {
		t.Errorf("the binding has %d components, %d replicas and requirements %v", len(spec.Components), spec.Replicas, spec.ReplicaRequirements)
	}
}

// TestOverflow: the second group is used when the first is full, and emptied first.
func TestOverflow(t *testing.T) {
	s := newStory(t)
	s.apply(fleet("web", 6, "", `  placement:
    clusterAffinities:
    - affinityName: own
      clusterNames: [member1]
      overflowAffinities: [{affinityName: rented, clusterNames: [member2]}]`+byRoom))
	s.eventually(s.division("web"), "member1 6/6")
	s.scale(11)
	s.eventually(s.division("web"), "member1 8/8, member2 3/3")
	s.scale(7)
	s.eventually(s.division("web"), "member1 7/7")
}

// TestWorkloadAffinity: a group stays together or apart, by the label of the template.
func TestWorkloadAffinity(t *testing.T) {
	s := newStory(t)
	s.apply(fleet("first", 2, "shop: a", in("member2")))
	s.eventually(s.division("first"), "member2 2/2")
	const term = "\n    workloadAffinity: {%s: {groupByLabelKey: shop}}"
	s.apply(fleet("grouped", 2, "shop: a", in("member2")+fmt.Sprintf(term, "affinity")))
	s.eventually(s.division("grouped"), "member2 2/2")
	s.apply(fleet("beside", 2, "shop: a", in("member1, member2")+fmt.Sprintf(term, "affinity")))
	s.eventually(s.division("beside"), "member2 2/2")
	s.apply(fleet("lonely", 2, "shop: b", in("member2")+fmt.Sprintf(term, "antiAffinity")))
	s.eventually(s.division("lonely"), "member2 2/2")
	s.apply(fleet("apart", 2, "shop: b", in("member1, member2")+fmt.Sprintf(term, "antiAffinity")))
	s.eventually(s.division("apart"), "member1 2/2")
}

// TestPriority: the number of the PriorityClass is on the binding. What found no room is not tried again for minutes, but at once when its
// template changes.
func TestPriority(t *testing.T) {
	s := newStory(t)
	s.apply(`
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: gates-urgent}
value: 700
`)
	s.apply(fleet("web", 9, "",
		"  schedulePriority: {priorityClassSource: KubePriorityClass, priorityClassName: gates-urgent}\n"+in("member1")))
	s.eventually(func() string { return s.scheduled("web") }, "False Unschedulable")
	if priority := s.binding("web").Spec.SchedulePriority; priority == nil || priority.Priority != 700 {
		t.Errorf("the binding has priority %v, want 700", priority)
	}
	s.scale(8)
	s.eventually(s.division("web"), "member1 8/8")
}

// TestOvercommitProtection: Karmada's scheduler holds room for all replicas of what it scheduled until they are healthy, beside those that
// run already. Once they are, the next workload finds what there is.
func TestOvercommitProtection(t *testing.T) {
	s := newStory(t)
	s.apply(fleet("first", 4, "", in("member1")))
	s.eventually(s.division("first"), "member1 4/4")
	s.eventually(s.health("first"), "Healthy")
	s.apply(fleet("second", 4, "", in("member1")))
	s.eventually(s.division("second"), "member1 4/4")
	s.eventually(s.health("second"), "Healthy")
	s.apply(fleet("third", 1, "", in("member1")))
	s.eventually(func() string { return s.scheduled("third") }, "False Unschedulable")
}
