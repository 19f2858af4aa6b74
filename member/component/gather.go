package component

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/adopt"
	"github.com/argosy-dev/argosy/member/component/decide"
	"github.com/argosy-dev/argosy/member/component/render"
)

// gather reads all that a decision about one Component rests on.
func (r *Reconciler) gather(ctx context.Context, component *v1alpha1.Component) (*decide.Input, error) {
	in := &decide.Input{Component: component, Live: map[decide.Key]*unstructured.Unstructured{}}
	templates, values, err := r.today(ctx)
	if err != nil {
		return nil, err
	}
	if in.Templates, err = r.choose(ctx, component, templates, values); err != nil {
		return nil, err
	}
	in.Objects, in.Report, in.RenderErr = in.Templates.Objects, in.Templates.Report, in.Templates.Err
	if in.RenderErr != nil {
		in.Objects = nil
	}
	if err := r.gatherLive(ctx, in); err != nil {
		return nil, err
	}
	if in.Templates.Unknown {
		in.Held = in.AllThere()
		in.Templates.Take = !in.Held
	}
	if in.Templates.Take && !in.Unmanaged() {
		if err := r.keepCopy(ctx, in.Templates.Name, in.Templates.Revision); err != nil {
			return nil, err
		}
	}
	if err := r.gatherAutoscaler(ctx, in); err != nil {
		return nil, err
	}
	if err := r.gatherHosts(ctx, in); err != nil {
		return nil, err
	}
	if err := r.gatherCanary(ctx, in); err != nil {
		return nil, err
	}
	if in.Unmanaged() {
		return in, nil
	}
	return in, r.gatherVerdicts(ctx, in)
}

// gatherCanary looks at the steps of a change. The pods of before are copied before anything of the change is made.
func (r *Reconciler) gatherCanary(ctx context.Context, in *decide.Input) error {
	var err error
	if status := in.Component.Status.Canary; in.Live[in.Workload()] == nil && decide.UnderWay(status) && status.Before != "" {
		if _, err = r.copied(ctx, status.Before, &in.Before); err != nil {
			return err
		}
	}
	if in.Canary, err = decide.CanaryOf(in, r.clock.Now()); err != nil || in.Canary == nil || in.Canary.Before == nil {
		return err
	}
	return r.keepCopy(ctx, in.Canary.Before.Name, in.Canary.Before.Template)
}

// gatherLive finds what the Component controls, and what else is there under the names it becomes.
func (r *Reconciler) gatherLive(ctx context.Context, in *decide.Input) error {
	for _, kind := range kinds() {
		list := kind.newList()
		err := r.cache.List(ctx, list, client.InNamespace(in.Component.Namespace),
			client.MatchingFields{byComponent: in.Component.Name}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return fmt.Errorf("listing %ss of the Component: %w", kind.gvk.Kind, err)
		}
		err = meta.EachListItem(list, func(item runtime.Object) error {
			object, err := untyped(item.(client.Object), kind.gvk)
			if err != nil {
				return err
			}
			if decide.OwnerOf(object, in.Component) == decide.Ours {
				in.Live[decide.Key{Kind: kind.gvk.Kind, Name: object.GetName()}] = object
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	wanted := map[decide.Key]schema.GroupVersionKind{}
	for i := range in.Objects {
		o := &in.Objects[i]
		wanted[decide.KeyOf(o)] = schema.FromAPIVersionAndKind(o.APIVersion, o.Kind)
	}
	if beside, may := in.Beside(); may && in.Component.Spec.Strategy.Canary != nil {
		wanted[beside] = appsv1.SchemeGroupVersion.WithKind(beside.Kind)
	}
	for key, gvk := range wanted {
		if in.Live[key] != nil {
			continue
		}
		// The cache knows ours alone, and not who owns which field. Whose it is has to be asked.
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(gvk)
		err := r.reader.Get(ctx, client.ObjectKey{Namespace: in.Component.Namespace, Name: key.Name}, object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		in.Live[key] = object
	}
	return nil
}

// gatherAutoscaler finds who sets the workload's replicas: a rendered autoscaler, or anybody's.
func (r *Reconciler) gatherAutoscaler(ctx context.Context, in *decide.Input) error {
	workload := in.Workload()
	at := -1
	for i := range in.Objects {
		o := &in.Objects[i]
		if decide.KeyOf(o) == workload {
			at = i
		}
		if o.Kind == "HorizontalPodAutoscaler" && targets(o.Content, workload) {
			in.Autoscaler = o.Kind + " " + o.Name
		}
	}
	list := &autoscalingv2.HorizontalPodAutoscalerList{}
	err := r.cache.List(ctx, list, client.InNamespace(in.Component.Namespace), client.MatchingFields{byTarget: workload.String()},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("listing HorizontalPodAutoscalers of %s: %w", workload, err)
	}
	for i := range list.Items {
		hpa := &list.Items[i]
		if !metav1.IsControlledBy(hpa, in.Component) && hpa.DeletionTimestamp == nil {
			in.Autoscaler = "HorizontalPodAutoscaler " + hpa.Name
		}
	}
	if in.Autoscaler == "" || at < 0 {
		return nil
	}
	in.Objects[at], err = in.Objects[at].WithoutReplicas()
	return err
}

// byTarget is the index of autoscalers by the workload whose replicas they set.
const byTarget = "argosy.target"

func indexTargets(ctx context.Context, mgr manager.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &autoscalingv2.HorizontalPodAutoscaler{}, byTarget, func(o client.Object) []string {
		ref := o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.ScaleTargetRef
		return []string{decide.Key{Kind: ref.Kind, Name: ref.Name}.String()}
	})
	if err != nil {
		return fmt.Errorf("indexing HorizontalPodAutoscalers by target: %w", err)
	}
	return nil
}

func targets(autoscaler map[string]any, workload decide.Key) bool {
	kind, _, _ := unstructured.NestedString(autoscaler, "spec", "scaleTargetRef", "kind")
	name, _, _ := unstructured.NestedString(autoscaler, "spec", "scaleTargetRef", "name")
	return kind == workload.Kind && name == workload.Name
}

// gatherVerdicts asks the API server what taking over would change, of what spec.adopt names and nobody owns.
func (r *Reconciler) gatherVerdicts(ctx context.Context, in *decide.Input) error {
	named := in.Adoptable()
	for i := range in.Objects {
		object := &in.Objects[i]
		key := decide.KeyOf(object)
		live := in.Live[key]
		if live == nil || !named[key] || decide.OwnerOf(live, in.Component) != decide.Nobody {
			continue
		}
		verdict, err := r.tryOut(ctx, in.Component, object, live)
		if err != nil {
			return err
		}
		if in.Verdicts == nil {
			in.Verdicts = map[decide.Key]adopt.Verdict{}
		}
		in.Verdicts[key] = verdict
	}
	return nil
}

// tryOut is the dry run of an adoption. What the API server does not take as it is would change, in its words.
func (r *Reconciler) tryOut(
	ctx context.Context, component *v1alpha1.Component, object *render.Object, live *unstructured.Unstructured,
) (adopt.Verdict, error) {
	would, err := r.write(ctx, component, object, live, client.DryRunAll)
	if refused(err) {
		return adopt.Verdict{Restart: true, Differences: err.Error()}, nil
	}
	if err != nil {
		return adopt.Verdict{}, fmt.Errorf("trying out the adoption of %s: %w", decide.KeyOf(object), err)
	}
	trial, err := adopt.Check(live, would)
	if err != nil || trial.Without == nil {
		return trial.Verdict, err
	}
	// Former owners of whole objects own every default too, of which a person need not hear: what comes back by itself.
	without := trial.Without
	if err := r.writer.Update(ctx, without, client.DryRunAll); err != nil {
		if refused(err) {
			return trial.Settle(live, live), nil
		}
		return adopt.Verdict{}, fmt.Errorf("asking which fields of %s are defaults: %w", decide.KeyOf(object), err)
	}
	return trial.Settle(live, without), nil
}
