package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Retainer is the part of Karmada's resource interpreter that a dry run needs. The real one is used, with
// its webhooks and customizations: what it keeps of a member's object is what Karmada will keep.
type Retainer interface {
	HookEnabled(kind schema.GroupVersionKind, operation configv1alpha1.InterpreterOperation) bool
	Retain(desired, observed *unstructured.Unstructured) (*unstructured.Unstructured, error)
}

// dryRuns asks every member what Karmada's write of each Work would leave there.
func (c *Controller) dryRuns(ctx context.Context, world *plan.World, leaving bool) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	for name, cluster := range world.Clusters {
		if cluster.Unreachable != "" || len(cluster.Objects) == 0 || len(cluster.Works) == 0 {
			continue
		}
		wait.Go(func() {
			runs := map[plan.Ref]plan.DryRun{}
			for _, live := range cluster.Objects {
				work, ok := cluster.Works[policy.RefOf(live)]
				if !ok || work.Manifest == nil {
					continue
				}
				runs[policy.RefOf(live)] = c.dryRun(ctx, name, dryRun{live: live, manifest: work.Manifest, leaving: leaving})
			}
			mu.Lock()
			defer mu.Unlock()
			cluster.DryRuns = runs
			world.Clusters[name] = cluster
		})
	}
	wait.Wait()
}

// dryRun is one write to try.
type dryRun struct {
	live, manifest *unstructured.Unstructured
	// leaving tries what Karmada writes when it lets go of an object, instead of what it writes to hold it.
	leaving bool
}

// dryRun repeats what Karmada's objectwatcher does before it updates a member's object (pkg/util/objectwatcher,
// retainClusterFields and Update; on release pkg/controllers/execution, cleanupPolicyClaimMetadata), and sends
// the result with dryRun=All.
func (c *Controller) dryRun(ctx context.Context, cluster string, in dryRun) plan.DryRun {
	out := plan.DryRun{Live: in.live}
	member, err := c.Members.Client(ctx, cluster)
	if err != nil {
		out.Untried = err.Error()
		return out
	}
	desired := in.manifest.DeepCopy()
	if in.leaving {
		release(desired)
	}
	desired.SetResourceVersion(in.live.GetResourceVersion())
	desired.SetFinalizers(in.live.GetFinalizers())
	desired.SetOwnerReferences(in.live.GetOwnerReferences())
	util.RetainAnnotations(desired, in.live)
	util.RetainLabels(desired, in.live)
	if c.Retainer.HookEnabled(desired.GroupVersionKind(), configv1alpha1.InterpreterOperationRetain) {
		if desired, err = c.Retainer.Retain(desired, in.live.DeepCopy()); err != nil {
			out.Untried = fmt.Sprintf("the resource interpreter failed: %v", err)
			return out
		}
	}
	switch err := member.Update(ctx, desired, client.DryRunAll); {
	case err == nil:
		out.Result = desired
	case isAnswer(err):
		out.Error = err.Error()
	default:
		out.Untried = err.Error()
	}
	return out
}

// isAnswer tells a member's refusal of a write from an exchange that came to none: a connection that broke, a server that could not look,
// or an object that was another by then.
func isAnswer(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status().Reason {
	case metav1.StatusReasonConflict, metav1.StatusReasonServerTimeout, metav1.StatusReasonTimeout, metav1.StatusReasonTooManyRequests,
		metav1.StatusReasonServiceUnavailable, metav1.StatusReasonUnauthorized:
		return false
	}
	// 500 is an answer: a webhook of the member that its API server cannot reach refuses Karmada's write as well. Above are those of
	// proxies.
	return status.Status().Code <= http.StatusInternalServerError
}

// release takes Karmada's own metadata off a manifest, as Karmada does when a preserved Work is deleted.
func release(manifest *unstructured.Unstructured) {
	util.RemoveLabels(manifest, append([]string{"propagationpolicy.karmada.io/permanent-id"}, util.ManagedResourceLabels...)...)
	util.RemoveAnnotations(manifest, append([]string{
		"propagationpolicy.karmada.io/namespace", "propagationpolicy.karmada.io/name", workv1alpha2.ResourceConflictResolutionAnnotation,
	}, util.ManagedResourceAnnotations...)...)
}
