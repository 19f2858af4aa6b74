package state

import (
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestWhatSurelyDoesNotRun is out of its pools, however many others are sick and whatever the prober's word is worth then.
func TestWhatSurelyDoesNotRun(t *testing.T) {
	for _, state := range []v1alpha1.MachineState{v1alpha1.MachineStopped, v1alpha1.MachineGone} {
		w := serving()
		w.in.Blind, w.in.Distrusted = true, true
		w.fact(v1alpha1.ConditionHealthy, metav1.ConditionFalse)
		w.fact(v1alpha1.ConditionReachable, metav1.ConditionFalse)
		if w.settle(); w.last.Phase != v1alpha1.ServerReady || !w.attached {
			t.Fatalf("what only a blind prober says: %s, attached %v", w.last.Phase, w.attached)
		}
		w.in.Server.Status.Machine.State = state
		if w.settle(); w.last.Phase != v1alpha1.ServerUnknown || w.attached {
			t.Errorf("its machine is %s: %s, attached %v", state, w.last.Phase, w.attached)
		}
	}
}

// TestOutsideItsPools: a server whose pool lost it is Ready, and says where it is not.
func TestOutsideItsPools(t *testing.T) {
	w := serving()
	w.in.Server.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "in", Driver: "d", Pool: "a"}, {Name: "out", Driver: "d", Pool: "b"}}
	w.in.Server.Status.LoadBalancers = []v1alpha1.Attachment{
		{Name: "in", Driver: "d", Pool: "a", State: v1alpha1.Attached}, {Name: "out", Driver: "d", Pool: "b", State: v1alpha1.Attaching},
		{Name: "left", Driver: "d", Pool: "c", State: v1alpha1.Detached},
	}
	for state, want := range map[v1alpha1.AttachmentState]string{
		v1alpha1.Attaching: "the server serves, and is not in all of its pools: out (b) is Attaching", v1alpha1.Attached: "the server serves",
	} {
		w.in.Server.Status.LoadBalancers[1].State = state
		w.settle()
		c := apimeta.FindStatusCondition(w.in.Server.Status.Conditions, v1alpha1.ConditionReady)
		if c.Status != metav1.ConditionTrue || c.Message != want {
			t.Errorf("%s: %+v", state, c)
		}
	}
}

// TestNobodyComesBackUnasked: after a boot, and after any other time out of service, a server comes into its pools once its health check
// passed, and not while nobody knows. Who serves stays in them while it is not known.
func TestNobodyComesBackUnasked(t *testing.T) {
	for name, away := range map[string]func(*world){
		"booted": func(w *world) {
			w.in.Server.Status.Machine.BootID, w.in.Server.Status.EnvironmentHash = "b2", ""
			w.fact(v1alpha1.ConditionHealthy, metav1.ConditionUnknown)
		},
		"unwell": func(w *world) {
			w.fact(v1alpha1.ConditionHealthy, metav1.ConditionFalse)
			w.settle()
			apimeta.RemoveStatusCondition(&w.in.Server.Status.Conditions, v1alpha1.ConditionHealthy)
		},
	} {
		w := serving()
		away(w)
		if way := w.settle(); w.last.Phase != v1alpha1.ServerDeploying || w.last.Row != v1alpha1.ReasonNotHealthyYet || w.attached {
			t.Errorf("%s: %v, attached %v", name, way, w.attached)
		}
		w.fact(v1alpha1.ConditionHealthy, metav1.ConditionTrue)
		if way := w.settle(); w.last.Phase != v1alpha1.ServerReady || !w.attached {
			t.Errorf("%s, and well again: %v, attached %v", name, way, w.attached)
		}
		w.fact(v1alpha1.ConditionHealthy, metav1.ConditionUnknown)
		if w.settle(); w.last.Phase != v1alpha1.ServerReady || !w.attached {
			t.Errorf("%s, serving and not known to be well: %s, attached %v", name, w.last.Phase, w.attached)
		}
	}
}

// TestBackWithoutAsking: where there is nothing to ask a machine by, its driver's word brings it back; who was taken out for an alert does
// not come back because nobody answers, and does once it is quiet or nothing is asked any more.
func TestBackWithoutAsking(t *testing.T) {
	w := serving()
	w.fact(v1alpha1.ConditionReachable, metav1.ConditionFalse)
	if w.settle(); w.last.Phase != v1alpha1.ServerUnknown {
		t.Fatalf("%s", w.last.Phase)
	}
	apimeta.SetStatusCondition(&w.in.Server.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReachable, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonNothingToAsk,
	})
	if w.settle(); w.last.Phase != v1alpha1.ServerReady {
		t.Errorf("its driver says that it runs: %s", w.last.Phase)
	}

	w = serving()
	for _, step := range []struct {
		normal metav1.ConditionStatus
		want   v1alpha1.ServerPhase
	}{
		{metav1.ConditionUnknown, v1alpha1.ServerReady},
		{metav1.ConditionFalse, v1alpha1.ServerDeploying},
		{metav1.ConditionUnknown, v1alpha1.ServerDeploying},
		{metav1.ConditionTrue, v1alpha1.ServerReady},
		{metav1.ConditionFalse, v1alpha1.ServerDeploying},
		{"", v1alpha1.ServerReady},
	} {
		if apimeta.RemoveStatusCondition(&w.in.Server.Status.Conditions, v1alpha1.ConditionMonitoringNormal); step.normal != "" {
			w.fact(v1alpha1.ConditionMonitoringNormal, step.normal)
		}
		if w.settle(); w.last.Phase != step.want {
			t.Fatalf("MonitoringNormal %q: %s, want %s", step.normal, w.last.Phase, step.want)
		}
	}
}
