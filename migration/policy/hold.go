package policy

import (
	"encoding/json"
	"reflect"
	"slices"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// eviction is what a held placement tolerates: Karmada's taint manager takes a cluster with an untolerated NoExecute taint out of a
// binding whatever its suspension says (pkg/controllers/cluster/taint_manager.go), the orphaned Work is deleted, and with preserve its
// stored manifest is written into the member: what was released there statically since would be undone.
func eviction() corev1.Toleration {
	return corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}
}

// Hold keeps a placement's clusters in their binding through every taint, for as long as any of them is closed.
func Hold(placement *policyv1alpha1.Placement) {
	if !Held(placement) {
		placement.ClusterTolerations = append(placement.ClusterTolerations, eviction())
	}
}

// LetGo gives a placement back to Karmada's failover.
func LetGo(placement *policyv1alpha1.Placement) {
	placement.ClusterTolerations = slices.DeleteFunc(placement.ClusterTolerations,
		func(have corev1.Toleration) bool { return have == eviction() })
	if len(placement.ClusterTolerations) == 0 {
		placement.ClusterTolerations = nil
	}
}

// Held says whether a placement stays as it is through every taint.
func Held(placement *policyv1alpha1.Placement) bool {
	return placement != nil && slices.Contains(placement.ClusterTolerations, eviction())
}

// HoldApplied does to a placement in JSON, as bindings bear the one that was applied, what Hold does. Fields this program does not
// know stay as they are: the scheduler would take their loss for another placement.
func HoldApplied(applied string) (string, error) {
	if applied == "" {
		return "", nil
	}
	placement := map[string]any{}
	if err := json.Unmarshal([]byte(applied), &placement); err != nil {
		return "", err
	}
	tolerations, _ := placement["clusterTolerations"].([]any)
	want := map[string]any{"operator": string(eviction().Operator), "effect": string(eviction().Effect)}
	if slices.ContainsFunc(tolerations, func(have any) bool { return reflect.DeepEqual(have, any(want)) }) {
		return applied, nil
	}
	placement["clusterTolerations"] = append(tolerations, want)
	raw, err := json.Marshal(placement)
	return string(raw), err
}
