package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
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
	// Before are the pods of before, as they run now. A copy of them is kept before anything of the change is made, so that whoever deletes
	// the workload does not end the steps; nil: none is seen.
	Before *Pods
	// beside is the second Deployment, main the StatefulSet with its partition, or a workload that is made again as it was; nil: leave it.
	beside, main *render.Object
	// apart is set where the copies of the change are in the second Deployment.
	apart bool
	// stable is how many copies of before a Deployment is asked for; negative: an autoscaler says it.
	stable int32
	// beginning are the counts of the second Deployment.
	beginning counts
	// unseen is set while nobody can tell whether a change is under way: nothing is written, and how far it was stays as it is.
	unseen bool
	// lost is set where the workload is gone and nobody knows what it was: Message says what to do.
	lost bool
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
	if in.Component.Spec.Strategy.Canary == nil || in.Unmanaged() || in.Component.DeletionTimestamp != nil {
		return nil, nil
	}
	if in.Held || in.RenderErr != nil {
		return standing(in)
	}
	i := slices.IndexFunc(in.Objects, func(o render.Object) bool { return KeyOf(&o) == in.Workload() })
	if i < 0 {
		return nil, fmt.Errorf("%s was not rendered", in.Workload())
	}
	object := &in.Objects[i]
	template, err := templateOf(object.Content)
	if err != nil {
		return nil, err
	}
	change, err := nameOf(template)
	if err != nil {
		return nil, fmt.Errorf("naming the change of %s: %w", in.Workload(), err)
	}
	out := &Canary{Change: change, stable: -1}
	live := in.Live[in.Workload()]
	if live == nil {
		return out, out.gone(in, object, template, now)
	}
	if owner := OwnerOf(live, in.Component); owner != Ours && owner != Left {
		return out, nil
	}
	return out, out.of(in, object, template, live, now)
}

// copiesOf are the copies that a rendered workload asks for; unsaid where an autoscaler says it.
func copiesOf(object *render.Object, unsaid int32) (int32, error) {
	replicas, set, err := unstructured.NestedInt64(object.Content, "spec", "replicas")
	if err != nil {
		return 0, fmt.Errorf("reading the replicas of %s: %w", KeyOf(object), err)
	}
	if !set {
		return unsaid, nil
	}
	return int32(replicas), nil
}

// plan is what is known of the change before the cluster is looked at.
func (c *Canary) plan(in *Input, now time.Time) canary.Input {
	return canary.Input{
		Object: in.Component.UID, Change: c.Change, Steps: in.Component.Spec.Strategy.Canary.Steps, Total: c.Total,
		Before: in.Component.Status.Canary, Canaries: in.Component.Status.Canaries, Asked: -1, Approvals: in.Component.Spec.Approvals, Now: now,
	}
}

func nameOf(template map[string]any) (string, error) {
	raw, err := json.Marshal(template)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:5]), nil
}

// of looks at the workload that is there.
func (c *Canary) of(in *Input, object *render.Object, template map[string]any, live *unstructured.Unstructured, now time.Time) error {
	have, err := countsOf(live)
	if err != nil {
		return err
	}
	if c.Total, err = copiesOf(object, have.desired); err != nil {
		return err
	}
	running, err := templateOf(live.Object)
	if err != nil {
		return err
	}
	plan := c.plan(in, now)
	same := contains(running, template, false)
	if object.Kind == string(v1alpha1.WorkloadStatefulSet) {
		err = c.partition(object, live, have, same, plan)
	} else if !same {
		err = c.second(in, object, plan)
	}
	if err != nil || !c.Active || same {
		return err
	}
	if err := c.keeps(running); err != nil || OwnerOf(live, in.Component) == Ours {
		return err
	}
	// It was let go, and is taken back as it runs: what it is to become comes in steps.
	main, err := object.WithPods(running, c.stable)
	c.main = &main
	return err
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
	c.Active, c.apart = true, true
	beside, err := object.Canary(c.Replicas)
	if err != nil {
		return err
	}
	c.beside = &beside
	if in.Autoscaler == "" {
		// One of before goes when one of the change serves: never fewer than asked for.
		c.stable = c.Total - min(c.beginning.available, c.Replicas)
	}
	return nil
}

// rests is true of a StatefulSet that is left as it is: its change is through, it has none, or its controller has to look first.
func (c *Canary) rests(have counts, same bool, before *v1alpha1.CanaryStatus) bool {
	known := before != nil && before.Change == c.Change
	switch {
	case known && before.State == v1alpha1.CanaryCompleted:
		return true
	case !same && have.anew:
		// It was just made, as it was before. A controller that sees the change first takes its pods for those of before, and makes no others.
		c.Active, c.unseen = true, true
		c.Message = "The cluster has not looked at the copies of before yet."
		return true
	case same && !known && !have.observed:
		// Whether its pods are those of before is seen when its controller has looked.
		c.Active, c.unseen = true, true
		c.Message = "The cluster has not looked at the change yet."
		return true
	}
	return same && !known && have.current == have.update
}

// partition plans the StatefulSet itself.
func (c *Canary) partition(object *render.Object, live *unstructured.Unstructured, have counts, same bool, plan canary.Input) error {
	if c.rests(have, same, plan.Before) {
		return nil
	}
	if same {
		partition, _, err := unstructured.NestedInt64(live.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
		if err != nil {
			return fmt.Errorf("reading the partition of StatefulSet %s: %w", live.GetName(), err)
		}
		plan.Asked = max(0, have.desired-int32(partition))
		plan.Serve = have.desired == c.Total && have.reached(plan.Asked)
	}
	c.Plan = canary.Decide(plan)
	if c.Done {
		return nil
	}
	c.Active = true
	main, err := object.Partitioned(c.Total - c.Replicas)
	if err != nil {
		return err
	}
	c.main = &main
	return nil
}

// reached is true when so many copies are of the change, and all serve.
func (c counts) reached(updated int32) bool {
	return c.observed && c.updated >= updated && c.available >= c.desired
}

// step adds what the next step of a canary asks for.
func (in *Input) step(steps *Steps) {
	c := in.Canary
	if c.main != nil {
		in.add(steps, c.main)
	}
	if c.beside == nil {
		return
	}
	in.add(steps, c.beside)
	live := in.Live[in.Workload()]
	if live == nil || live.GetDeletionTimestamp() != nil || c.main != nil {
		return
	}
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
	if c.apart {
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
