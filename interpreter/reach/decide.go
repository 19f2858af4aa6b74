package reach

import (
	"encoding/json"
	"time"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter"
)

// Condition of a Work whose member cannot be asked, False; else the Work has none.
const (
	ConditionMemberReachable = "interpreter.argosy.dev/MemberReachable"
	ReasonMemberNotReady     = "MemberNotReady"
)

// mark makes the Work's conditions say whether its member can be asked; false where they do. Only Works are marked of which the member has
// reported something that we aggregate.
func mark(work *workv1alpha1.Work, catalog interpreter.Catalog, why string, now time.Time) bool {
	conditions := &work.Status.Conditions
	if why == "" || !aggregated(work, catalog) {
		return meta.RemoveStatusCondition(conditions, ConditionMemberReachable)
	}
	return meta.SetStatusCondition(conditions, metav1.Condition{
		Type: ConditionMemberReachable, Status: metav1.ConditionFalse, Reason: ReasonMemberNotReady, Message: why,
		LastTransitionTime: metav1.NewTime(now),
	})
}

func aggregated(work *workv1alpha1.Work, catalog interpreter.Catalog) bool {
	if !work.DeletionTimestamp.IsZero() || len(work.Status.ManifestStatuses) == 0 {
		return false
	}
	for _, manifest := range work.Spec.Workload.Manifests {
		var kind metav1.TypeMeta
		if json.Unmarshal(manifest.Raw, &kind) != nil {
			continue
		}
		of := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind).GroupKind()
		if f, ok := catalog[of]; ok && f.AggregateStatus != nil {
			return true
		}
	}
	return false
}
