package plan

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// What is left of an application that left: nothing on its objects, nothing on the namespace, and its record for a while.

// Who leaves is not asked for what only arriving needs: a cluster may have been scaled to nothing meanwhile.
func TestLeavingWithoutReplicas(t *testing.T) {
	f := cutOffAndReleased(t)
	f.scale("b", 0)
	f.expect("b")
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeft)

	f = newFederation(t)
	f.scale("b", 0)
	f.expect("b")
	f.run(3)
	if f.status.Blocked != v1alpha1.ReasonNoReplicas {
		t.Errorf("who arrives without replicas is blocked by %q", f.status.Blocked)
	}
}

// After an application left, no object in a member bears a mark of ours, and the record does not hold the namespace: whoever deletes it
// at once leaves no protection behind.
func TestNothingOfOursStays(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	marked := 0
	for _, m := range f.members {
		for _, held := range m.objects {
			if held.GetLabels()[v1alpha1.LabelManagedBy] != "" {
				marked++
			}
		}
	}
	if marked != 8 {
		t.Fatalf("%d objects bear our mark while the application is federated, want 8: the model shows nothing", marked)
	}
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeft)
	for name, m := range f.members {
		for _, held := range m.objects {
			for _, marks := range []map[string]string{held.GetLabels(), held.GetAnnotations()} {
				for key := range marks {
					if ourMark(key) || strings.Contains(key, "karmada.io") {
						t.Errorf("%s %s in cluster %s bears %s", held.GetKind(), held.GetName(), name, key)
					}
				}
			}
		}
	}
	if f.home.Protected || f.home.Ours {
		t.Errorf("the namespace is protected: %+v", f.home)
	}
}

// Templates whose marks were taken off already are guarded again when a member turns out to have changed.
func TestWhatWasUnmarkedIsGuardedAgain(t *testing.T) {
	f := cutOffAndReleased(t)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	for range 100 {
		if f.control.Templates[f.app].GetLabels()[v1alpha1.LabelManagedBy] == "" {
			break
		}
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
	}
	if f.control.Templates[f.app] == nil {
		t.Fatal("the templates are gone and were never without marks")
	}
	f.put("b", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: edited}}`)
	f.step(-1)
	f.step(-1)
	for ref, template := range f.control.Templates {
		if template.GetLabels()[v1alpha1.LabelManagedBy] == "" || template.GetAnnotations()[v1alpha1.AnnotationCutOff] == "" {
			t.Errorf("%s may be deleted: %v, %v", ref.Name, template.GetLabels(), template.GetAnnotations())
		}
	}
	f.settle(v1alpha1.PhaseLeft)
}

// The record of an application that left goes when its time is over, and not before; that of one a person rolled back, or that is listed
// again, stays.
func TestTheRecordExpires(t *testing.T) {
	for name, tc := range map[string]struct {
		ttl     *int32
		after   time.Duration
		change  func(f *federation)
		deleted bool
	}{
		"at once":        {ttl: ptr.To[int32](0), deleted: true},
		"not yet":        {after: 29 * 24 * time.Hour},
		"by default":     {after: 31 * 24 * time.Hour, deleted: true},
		"an hour":        {ttl: ptr.To[int32](3600), after: 2 * time.Hour, deleted: true},
		"rolled back":    {ttl: ptr.To[int32](0), change: func(f *federation) { f.spec.Rollback = &v1alpha1.Rollback{} }},
		"listed anew":    {ttl: ptr.To[int32](0), change: func(f *federation) { f.whitelist() }},
		"no time is set": {ttl: ptr.To[int32](3600), change: func(f *federation) { f.status.History = nil }, after: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.settle(v1alpha1.PhaseFederated)
			f.entry = nil
			f.settle(v1alpha1.PhaseCutOff)
			f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
			f.settle(v1alpha1.PhaseLeft)
			if tc.change != nil {
				tc.change(f)
			}
			f.spec.TTLSecondsAfterLeft = tc.ttl
			f.now = f.now.Add(tc.after)
			decision := Next(f.world())
			record, deleted := Ref{APIVersion: "migration.argosy.dev/v1alpha1", Kind: "Migration", Name: "deployment-web"}, false
			for _, action := range decision.Actions {
				deleted = deleted || action.Verb == Delete && action.Ref == record
			}
			if deleted != tc.deleted {
				t.Errorf("deleted: %v, want %v", deleted, tc.deleted)
			}
		})
	}
}

// What Karmada cannot write after the take-over is a condition and an event, said once.
func TestDriftIsReported(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.run(1)
	synced := func() *metav1.Condition {
		return meta.FindStatusCondition(f.status.Conditions, v1alpha1.ConditionSynced)
	}
	if got := synced(); got == nil || got.Status != metav1.ConditionTrue {
		t.Fatalf("condition %+v, want True", got)
	}
	f.works["b"][f.app].Refused = "admission webhook denied the request"
	warned := 0
	for range 3 {
		for _, event := range f.step(-1).Events {
			if event.Reason == v1alpha1.ReasonDrifted && event.Warning {
				warned++
			}
		}
	}
	want := "deployment/web in cluster b is not what the control plane holds: admission webhook denied the request"
	if got := synced(); got.Status != metav1.ConditionFalse || got.Reason != v1alpha1.ReasonDrifted || got.Message != want || warned != 1 {
		t.Errorf("condition %+v, warned %d times; want Drifted, once", got, warned)
	}
	if f.advancing().Reason != v1alpha1.ReasonDrifted || f.status.Phase != v1alpha1.PhaseFederated {
		t.Errorf("%s: %+v", f.status.Phase, f.advancing())
	}
	f.works["b"][f.app].Refused = ""
	f.run(1)
	if got := synced(); got.Status != metav1.ConditionTrue {
		t.Errorf("condition %+v once it is over", got)
	}
	// What is not federated is nobody's drift.
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	if got := synced(); got != nil {
		t.Errorf("condition %+v of what is cut off", got)
	}
}

// A federated application's Works are read: without them what a release gave up would count as preserved nowhere, and go too early.
func TestTheWorksOfAFederatedApplicationAreRead(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	if needs := Needs(f.world()); !needs.Works || needs.Members {
		t.Errorf("reads %+v, want Works and no member", needs)
	}
}
