package decide

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/canary"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Pods are a pod template, by the name of its copy.
type Pods struct {
	Name     string
	Template map[string]any
}

// UnderWay is true of a change that has not been through all steps.
func UnderWay(status *v1alpha1.CanaryStatus) bool {
	return status != nil && status.State != v1alpha1.CanaryCompleted
}

// standing is a change under way while nothing is done: the objects are another controller's until a wave comes, or cannot be rendered.
func standing(in *Input) (*Canary, error) {
	status := in.Component.Status.Canary
	if !UnderWay(status) {
		return nil, nil
	}
	out := &Canary{Change: status.Change, Active: true, Total: ptr.Deref(in.Component.Spec.Replicas, 1), stable: -1}
	out.Status, out.Replicas = *status.DeepCopy(), in.Component.Status.ExpectedUpdatedReplicas
	if live := in.Live[in.Workload()]; in.Autoscaler != "" && live != nil {
		have, err := countsOf(live)
		if err != nil {
			return nil, err
		}
		out.Total = have.desired
	}
	if waits := in.Component.Status.PendingApprovals; len(waits) > 0 {
		out.Pending = waits[0].DeepCopy()
	}
	why := "what is asked for now cannot be rendered: see the condition Rendered"
	if in.Held {
		why = "another version of the controller runs since, whose objects reach one component after the other"
	}
	out.Message = fmt.Sprintf("Canary step %d of %d stands as it is: %s.", status.Step, len(in.Component.Spec.Strategy.Canary.Steps), why)
	key, may := in.Beside()
	out.apart = may
	var err error
	if live := in.Live[key]; may && live != nil && OwnerOf(live, in.Component) == Ours {
		out.beginning, err = countsOf(live)
	}
	return out, err
}

// gone is where the workload was deleted: a change under way goes on in its steps, beside the pods of before.
func (c *Canary) gone(in *Input, object *render.Object, template map[string]any, now time.Time) error {
	before := in.Component.Status.Canary
	if !UnderWay(before) || before.Before == "" {
		return nil
	}
	if in.Before != nil && contains(in.Before, template, false) {
		return nil // the change was undone
	}
	var err error
	if c.Total, err = copiesOf(object, 1); err != nil {
		return err
	}
	plan := c.plan(in, now)
	if object.Kind == string(v1alpha1.WorkloadDeployment) {
		err = c.second(in, object, plan)
	} else if c.Plan = canary.Decide(plan); !c.Done {
		c.Active = true
	}
	if err != nil || !c.Active {
		return err
	}
	c.Status.Before = before.Before
	if in.Before == nil {
		c.lost = true
		c.Message = "The copies of before were deleted, and nobody knows any more what they were. " +
			"Write the image that is to run, and take spec.strategy out until it serves."
		return nil
	}
	main, err := object.WithPods(in.Before, c.stable)
	c.main = &main
	return err
}

// keeps notes the pods of before, from the workload that runs them.
func (c *Canary) keeps(running map[string]any) error {
	// Empty where the object came through a type, and absent where it did not.
	unstructured.RemoveNestedField(running, "metadata", "creationTimestamp")
	name, err := nameOf(running)
	if err != nil {
		return fmt.Errorf("naming the pods of before: %w", err)
	}
	c.Before = &Pods{Name: "component-pods-" + name, Template: running}
	c.Status.Before = c.Before.Name
	return nil
}
