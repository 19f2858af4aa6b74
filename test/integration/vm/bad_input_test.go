package vm

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// TestHostileSets: what no server can be made of is refused by the API server, or said by a condition, with the field's name.
func TestHostileSets(t *testing.T) {
	w := newWorld(t)
	w.lead()
	packages := func(n int, param string) func(*v1alpha1.VMReplicaSet) {
		return func(s *v1alpha1.VMReplicaSet) {
			for i := range n {
				s.Spec.Template.Spec.Packages = append(s.Spec.Template.Spec.Packages, v1alpha1.Package{
					Name: fmt.Sprintf("p%d", i), Version: "1", Params: map[string]v1alpha1.BoundedString{"a": v1alpha1.BoundedString(param)},
				})
			}
		}
	}
	name := func(name string) func(*v1alpha1.VMReplicaSet) {
		return func(s *v1alpha1.VMReplicaSet) { s.Name = name }
	}
	for what, tc := range map[string]struct {
		change func(*v1alpha1.VMReplicaSet)
		says   string
	}{
		"65 packages": {packages(65, ""), "spec.template.spec.packages: Too many: 65: must have at most 64 items"},
		"4 KiB and one": {
			packages(1, strings.Repeat("x", 4097)), "spec.template.spec.packages[0].params.a: Too long: may not be more than 4096",
		},
		"a long name":    {name(strings.Repeat("a", 53)), "metadata.name must be no more than 52 characters"},
		"no name at all": {name("../../etc"), "metadata.name: Invalid value"},
		"no label's value": {func(s *v1alpha1.VMReplicaSet) {
			s.Spec.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"app": "a set; rm -rf /"}
			s.Spec.Selector.MatchLabels = s.Spec.Template.Metadata.Labels
		}, "spec.template.metadata.labels.app: Invalid value"},
	} {
		set := w.set("web", 1)
		tc.change(set)
		err := api.Create(w.ctx, set)
		w.Expect(err).To(gomega.HaveOccurred(), what)
		w.Expect(err.Error()).To(gomega.ContainSubstring(tc.says), what)
	}

	for field, change := range map[string]func(*v1alpha1.TemplateMeta){
		`spec.template.metadata.labels: Invalid value: "no such key/at/all"`: func(m *v1alpha1.TemplateMeta) {
			m.Labels["no such key/at/all"] = "x"
		},
		`spec.template.metadata.annotations: Invalid value: "no key!"`: func(m *v1alpha1.TemplateMeta) {
			m.Annotations = map[string]string{"no key!": "x"}
		},
	} {
		set := w.set("keys-"+strings.Trim(strings.Split(field, ".")[3][:3], ": "), 1)
		change(&set.Spec.Template.Metadata)
		w.create(set)
		w.Eventually(func() string { return w.says(set.Name, v1alpha1.ConditionReplicaFailure) }).
			Should(gomega.HavePrefix("True TemplateNotSupported: " + field))
	}
	w.Expect(w.servers()).To(gomega.BeEmpty())

	longest := w.set(strings.Repeat("a", 50)+".b", 1)
	longest.Spec.Selector.MatchLabels, longest.Spec.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"app": "x"},
		map[string]v1alpha1.LabelValue{"app": "x"}
	w.create(longest)
	w.Eventually(w.seen).Should(gomega.Equal([]string{longest.Name + "-1 Deploying Running"}))
}

// TestConflicts: a system that answers 409 of its own is asked again, and what it says stands on the task; in the end there is one machine.
func TestConflicts(t *testing.T) {
	w := newWorld(t)
	w.system.Fail(func(r *http.Request) iaas.Fault {
		if r.Method == http.MethodPut {
			return iaas.Conflict
		}
		return iaas.None
	})
	w.lead()
	w.create(w.set("web", 1))
	w.Eventually(w.tasks).Should(gomega.ContainElement(
		gomega.HavePrefix("web-1 CreateMachine Running: making machine " + w.someKey() + ": the system answered 409: a snapshot is made")))
	w.Expect(w.machines()).To(gomega.BeEmpty())
	w.system.Fail(nil)
	w.again("no conflict")
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
	w.Expect(w.system.Made()).To(gomega.Equal(1))
}

// tasks are those of all servers, as "server type state: message".
func (w *world) tasks() []string {
	w.t.Helper()
	var out []string
	for _, s := range w.servers() {
		for _, task := range s.Status.Tasks {
			out = append(out, fmt.Sprintf("%s %s %s: %s", s.Name, task.Type, task.State, task.Message))
		}
	}
	return out
}

// someKey waits for the first server, and gives its key.
func (w *world) someKey() string {
	w.t.Helper()
	w.Eventually(w.servers).ShouldNot(gomega.BeEmpty())
	return string(w.servers()[0].UID)
}

// TestAClockThatWasAhead: a leader whose clock is an hour ahead stamps what it does, and dies. The next goes on at once: it neither waits
// for an hour to try a task again, nor holds the safe frequency for that long.
func TestAClockThatWasAhead(t *testing.T) {
	w := newWorld(t)
	w.clock.pass(time.Hour)
	kill := w.leadAs("ahead")
	set := w.set("web", 2)
	set.Spec.UpdateStrategy.IntervalSeconds = 1
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	w.system.Fail(func(r *http.Request) iaas.Fault {
		if r.Method == http.MethodPut {
			return iaas.Overloaded
		}
		return iaas.None
	})
	w.scale(set, 3)
	w.Eventually(w.tasks).Should(gomega.ContainElement(gomega.And(
		gomega.HavePrefix("web-3 CreateMachine Running: "), gomega.ContainSubstring("answered 429"))))
	kill()
	w.system.Fail(nil)
	w.clock.pass(-time.Hour)
	w.leadAs("right")
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running", "web-3 Deploying Running"}))
	change(w, set, func(s *v1alpha1.VMReplicaSet) {
		s.Spec.Template.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "front", Pool: "front", Port: 80}}
	})
	w.Eventually(func() int32 {
		w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
		return set.Status.UpdatedReplicas
	}).Should(gomega.Equal(int32(3)))
	for _, s := range w.servers() {
		for _, task := range s.Status.Tasks {
			w.Expect(task.StartedAt == nil || !task.StartedAt.After(w.clock.Now())).To(gomega.BeTrue(), "%s of %s", task.Type, s.Name)
		}
	}
}

func (w *world) scale(set *v1alpha1.VMReplicaSet, replicas int32) {
	w.t.Helper()
	change(w, set, func(s *v1alpha1.VMReplicaSet) { *s.Spec.Replicas = replicas })
}
