package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// taints reads what taints members by their conditions. A plane before Karmada 1.15 has no such kind.
func (r *Reader) taints(ctx context.Context, facts *Facts) error {
	var list policyv1alpha1.ClusterTaintPolicyList
	err := r.client.List(ctx, &list)
	if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("listing ClusterTaintPolicies: %w", err)
	}
	facts.Taints = list.Items
	return nil
}

// stateful are the kinds of which a replica made elsewhere begins without its data, or is another machine.
var stateful = []string{"StatefulSet", "VMReplicaSet", "VMDeployment", "Server"}

// failovers finds settings by which a member that is away for a moment costs replicas: Karmada evicts what does not tolerate a NoExecute
// taint, and removes it from the member once that is back (docs/concepts/rescheduling.md, "When a member is lost").
func failovers(f Facts, _ time.Time) []Finding {
	var out []Finding
	var evicting []corev1.Taint
	for _, p := range f.Taints {
		object := "ClusterTaintPolicy/" + p.Name
		for _, t := range p.Spec.Taints {
			if t.Effect == corev1.TaintEffectNoExecute {
				evicting = append(evicting, corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
			}
		}
		if len(p.Spec.AddOnConditions) > 0 && len(p.Spec.RemoveOnConditions) == 0 {
			out = append(out, Finding{Severity: Warning, Object: object,
				Message: "it has no removeOnConditions: a member that is back keeps the taint, and gets nothing any more",
				Remedy:  "add removeOnConditions, such as Ready In [True]"})
		}
	}
	for _, p := range f.Propagations {
		out = append(out, failoverOf(p, evicting)...)
	}
	return out
}

// failoverOf is what a policy risks.
func failoverOf(p Propagation, evicting []corev1.Taint) []Finding {
	warn := func(message, remedy string) Finding {
		return Finding{Severity: Warning, Object: p.Object, Message: message, Remedy: remedy}
	}
	var out []Finding
	if p.Failover != nil && p.Failover.Cluster != nil && p.Failover.Cluster.PurgeMode == policyv1alpha1.PurgeModeDirectly {
		out = append(out, warn("failover.cluster.purgeMode is Directly: replicas of a tainted member are removed before others run",
			"set Gracefully, unless two copies at a time do harm"))
	}
	for _, taint := range evicting {
		seconds, tolerated := tolerates(p.Placement.ClusterTolerations, taint)
		name := taint.Key + ":" + string(taint.Effect)
		kinds := statefulOf(p.Selectors)
		switch {
		case tolerated && seconds < 0:
			continue
		case len(kinds) > 0:
			out = append(out, warn(fmt.Sprintf("it does not tolerate taint %s for ever: a member that is away gets its %s made anew "+
				"elsewhere, and loses what it had when it is back", name, strings.Join(kinds, ", ")),
				"tolerate it without tolerationSeconds, and move by hand"))
		case onlyCluster(p.Placement) != "":
			out = append(out, warn(fmt.Sprintf("it does not tolerate taint %s for ever and admits %s alone: what is evicted has no place to "+
				"go, and is removed when the member is back", name, onlyCluster(p.Placement)),
				"tolerate it without tolerationSeconds, or admit another cluster"))
		case !tolerated:
			out = append(out, warn(fmt.Sprintf("it does not tolerate taint %s: replicas leave a member that is away for a moment", name),
				"add a clusterToleration of it with tolerationSeconds, such as 300"))
		}
	}
	return out
}

// tolerates reports whether a taint is tolerated, and for how many seconds; below zero is for ever.
func tolerates(tolerations []corev1.Toleration, taint corev1.Taint) (seconds int64, tolerated bool) {
	seconds = -1
	for i := range tolerations {
		t := &tolerations[i]
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key ||
			t.Operator != corev1.TolerationOpExists && t.Value != taint.Value {
			continue
		}
		// Karmada goes by the shortest.
		if t.TolerationSeconds != nil && (seconds < 0 || *t.TolerationSeconds < seconds) {
			seconds = max(*t.TolerationSeconds, 0)
		}
		tolerated = true
	}
	return seconds, tolerated
}

func statefulOf(selectors []policyv1alpha1.ResourceSelector) []string {
	var out []string
	for _, s := range selectors {
		if slices.Contains(stateful, s.Kind) && !slices.Contains(out, s.Kind) {
			out = append(out, s.Kind)
		}
	}
	return out
}

// onlyCluster is the one cluster that a placement admits by name; empty where there may be others.
func onlyCluster(p policyv1alpha1.Placement) string {
	if p.ClusterAffinity == nil || len(p.ClusterAffinity.ClusterNames) != 1 {
		return ""
	}
	return p.ClusterAffinity.ClusterNames[0]
}
