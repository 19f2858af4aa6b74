package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/canary"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Canary is a change of pods that goes in steps. A Deployment has its new copies in a second one beside it, and keeps the pods of
// before until all steps are done; a StatefulSet holds both, by its partition.
type Canary struct {
	canary.Plan
	// Change names the pods that are asked for.
	Change string
	// Active is true while the workload may not simply be applied.
	Active bool
	// Total is how many copies are asked for in all.
	Total int32
	// beside is the second Deployment, main the StatefulSet with its partition; nil: leave as it is.
	beside, main *render.Object
	// stable is how many copies of before a Deployment is asked for; negative: an autoscaler says it.
	stable int32
	// beginning are the counts of the second Deployment.
	beginning counts
	// unseen is set while nobody can tell whether a change is under way: nothing is written, and how far it was stays as it is.
	unseen bool
}

// Scale is a number of copies to ask for, with the pods left as they are.
type Scale struct {
	Live     *unstructured.Unstructured
	Replicas int32
}

// Beside is the key of the second Deployment of a canary.
func (in *Input) Beside() (Key, bool) {
	workload := in.Workload()
	workload.Name += render.CanarySuffix
	return workload, workload.Kind == string(v1alpha1.WorkloadDeployment)
}

// CanaryOf looks at the steps of the Component's change; nil where it has none. In.Live must be known.
func CanaryOf(in *Input, now time.Time) (*Canary, error) {
	strategy := in.Component.Spec.Strategy
	if strategy.Canary == nil || in.Unmanaged() || in.Held || in.RenderErr != nil || in.Component.DeletionTimestamp != nil {
		return nil, nil
	}
	var object *render.Object
	for i := range in.Objects {
		if KeyOf(&in.Objects[i]) == in.Workload() {
			object = &in.Objects[i]
		}
	}
	if object == nil {
		return nil, fmt.Errorf("%s was not rendered", in.Workload())
	}
	template, err := templateOf(object.Content)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("naming the change of %s: %w", in.Workload(), err)
	}
	sum := sha256.Sum256(raw)
	out := &Canary{Change: hex.EncodeToString(sum[:5]), stable: -1}
	live := in.Live[in.Workload()]
	if live == nil || OwnerOf(live, in.Component) != Ours || live.GetDeletionTimestamp() != nil {
		return out, nil
	}
	have, err := countsOf(live)
	if err != nil {
		return nil, err
	}
	out.Total = have.desired
	if replicas, set, err := unstructured.NestedInt64(object.Content, "spec", "replicas"); err != nil {
		return nil, fmt.Errorf("reading the replicas of %s: %w", in.Workload(), err)
	} else if set {
		out.Total = int32(replicas)
	}
	running, err := templateOf(live.Object)
	if err != nil {
		return nil, err
	}
	plan := canary.Input{
		Object: in.Component.UID, Change: out.Change, Steps: strategy.Canary.Steps, Total: out.Total,
		Before: in.Component.Status.Canary, Asked: -1, Approvals: in.Component.Spec.Approvals, Now: now,
	}
	same := contains(running, template, false)
	if object.Kind == string(v1alpha1.WorkloadStatefulSet) {
		return out, out.partition(object, live, have, same, plan)
	}
	if same {
		return out, nil
	}
	return out, out.second(in, object, plan)
}

func templateOf(content map[string]any) (map[string]any, error) {
	template, _, err := unstructured.NestedMap(content, "spec", "template")
	if err != nil {
		return nil, fmt.Errorf("reading a pod template: %w", err)
	}
	return template, nil
}

// second plans the Deployment beside the one that keeps the pods of before.
func (c *Canary) second(in *Input, object *render.Object, plan canary.Input) error {
	key, _ := in.Beside()
	live := in.Live[key]
	if live != nil && OwnerOf(live, in.Component) == Ours {
		wanted, err := object.Canary(0)
		if err != nil {
			return err
		}
		have, err := countsOf(live)
		if err != nil {
			return err
		}
		template, err := templateOf(wanted.Content)
		if err != nil {
			return err
		}
		running, err := templateOf(live.Object)
		if err != nil {
			return err
		}
		if contains(running, template, false) {
			plan.Asked, plan.Serve = have.desired, have.observed && have.complete()
			if have.observed {
				c.beginning = have
			}
		}
	}
	c.Plan = canary.Decide(plan)
	if c.Done {
		return nil
	}
	c.Active = true
	beside, err := object.Canary(c.Plan.Replicas)
	if err != nil {
		return err
	}
	c.beside = &beside
	if in.Autoscaler == "" {
		// One of before goes when one of the change serves: never fewer than asked for.
		c.stable = c.Total - min(c.beginning.available, c.Plan.Replicas)
	}
	return nil
}

// partition plans the StatefulSet itself.
func (c *Canary) partition(object *render.Object, live *unstructured.Unstructured, have counts, same bool, plan canary.Input) error {
	known := plan.Before != nil && plan.Before.Change == c.Change
	switch {
	case known && plan.Before.State == v1alpha1.CanaryCompleted:
		return nil
	case same && !known && !have.observed:
		// Whether its pods are those of before is seen when its controller has looked.
		c.Active, c.unseen = true, true
		c.Message = "The cluster has not looked at the change yet."
		return nil
	case same && !known && have.current == have.update:
		return nil
	}
	if same {
		partition, _, err := unstructured.NestedInt64(live.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
		if err != nil {
			return fmt.Errorf("reading the partition of StatefulSet %s: %w", live.GetName(), err)
		}
		plan.Asked = max(0, have.desired-int32(partition))
		plan.Serve = have.observed && have.desired == c.Total && have.updated >= plan.Asked && have.available >= have.desired
	}
	c.Plan = canary.Decide(plan)
	if c.Done {
		return nil
	}
	c.Active = true
	main, err := object.Partitioned(c.Total - c.Plan.Replicas)
	if err != nil {
		return err
	}
	c.main = &main
	return nil
}

// step adds what the next step of a canary asks for.
func (in *Input) step(steps *Steps) {
	c := in.Canary
	add := func(object *render.Object) {
		action, blocked := in.decide(object)
		switch {
		case blocked != nil:
			steps.Blocked = append(steps.Blocked, *blocked)
		case action != nil:
			steps.Apply = append(steps.Apply, *action)
		}
	}
	if c.main != nil {
		add(c.main)
	}
	if c.beside == nil {
		return
	}
	add(c.beside)
	live := in.Live[in.Workload()]
	if have, err := countsOf(live); err == nil && c.stable >= 0 && have.desired != c.stable {
		steps.Scale = append(steps.Scale, Scale{live, c.stable})
	}
}

// besideMayGo holds the second Deployment until as many copies as are asked for serve without it: after the last step, and when a
// change is undone.
func (in *Input) besideMayGo() bool {
	live := in.Live[in.Workload()]
	if live == nil {
		return false
	}
	have, err := countsOf(live)
	return err == nil && have.observed && have.complete() && (in.Canary == nil || have.desired >= in.Canary.Total)
}

// together are the counts of both workloads of a canary.
func (c *Canary) together(have counts) counts {
	if c == nil || !c.Active {
		return have
	}
	if c.beside != nil {
		b := c.beginning
		have.unwanted = have.replicas
		have.replicas, have.ready, have.available = have.replicas+b.replicas, have.ready+b.ready, have.available+b.available
		have.updated, have.refused = b.updated, b.refused
		if b.stuck != "" {
			have.stuck = b.stuck
		}
	}
	if b := c.beginning.template; b != nil {
		have.template = b
	}
	have.desired = c.Total
	return have
}
