package fedhpaplane

import (
	"context"
	"encoding/json"
	"fmt"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

const deploymentKind = "Deployment"

// Join makes a member cluster with room for 100 pods.
func (p *Plane) Join(ctx context.Context, name string) error {
	cluster := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := p.create(ctx, cluster,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.GenerateExecutionSpaceName(name)}}); err != nil {
		return err
	}
	return p.SetReady(ctx, name, true)
}

// SetReady sets whether a member can be reached.
func (p *Plane) SetReady(ctx context.Context, name string, ready bool) error {
	cluster := &clusterv1alpha1.Cluster{}
	if err := p.Client.Get(ctx, client.ObjectKey{Name: name}, cluster); err != nil {
		return fmt.Errorf("reading Cluster %s: %w", name, err)
	}
	status := metav1.ConditionFalse
	if ready {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&cluster.Status.Conditions, metav1.Condition{
		Type: clusterv1alpha1.ClusterConditionReady, Status: status, Reason: "Test",
	})
	cluster.Status.ResourceSummary = &clusterv1alpha1.ResourceSummary{
		Allocatable: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("100")},
	}
	cluster.Status.APIEnablements = []clusterv1alpha1.APIEnablement{
		{GroupVersion: "apps/v1", Resources: []clusterv1alpha1.APIResource{{Kind: deploymentKind}}},
	}
	if err := p.Client.Status().Update(ctx, cluster); err != nil {
		return fmt.Errorf("writing the status of Cluster %s: %w", name, err)
	}
	return nil
}

func (p *Plane) create(ctx context.Context, objects ...client.Object) error {
	for _, o := range objects {
		if err := p.Client.Create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating %T %s: %w", o, o.GetName(), err)
		}
	}
	return nil
}

// App is one Deployment, propagated.
type App struct {
	Namespace, Name string
	// Clusters in the order of the scheduling result.
	Clusters []workv1alpha2.TargetCluster
}

func (a App) total() int32 {
	var sum int32
	for _, c := range a.Clusters {
		sum += c.Replicas
	}
	return sum
}

// Propagate makes the Deployment, its binding and its Works, as Karmada has them after a first scheduling.
func (p *Plane) Propagate(ctx context.Context, a App) error {
	labels := map[string]string{"app": a.Name}
	// By this label Karmada's FederatedHPA finds the binding.
	claimed := map[string]string{policyv1alpha1.PropagationPolicyPermanentIDLabel: a.Name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, Labels: claimed},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(a.total()), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			},
		},
	}
	if err := p.create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.Namespace}}, d); err != nil {
		return err
	}
	b := &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: names.GenerateBindingName(deploymentKind, a.Name), Labels: claimed},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: deploymentKind, Namespace: a.Namespace, Name: a.Name, UID: d.UID},
			Replicas: a.total(), Clusters: a.Clusters,
			Placement: &policyv1alpha1.Placement{
				ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{ReplicaSchedulingType: policyv1alpha1.ReplicaSchedulingTypeDivided},
			},
		},
	}
	if err := p.create(ctx, b); err != nil {
		return err
	}
	if err := p.Deliver(ctx, a); err != nil {
		return err
	}
	return p.Schedule(ctx, a)
}

// unhurried writes what it read, and both again when the controllers under test were quicker, as Karmada's own controllers do.
func unhurried(readAndWrite func() error) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, readAndWrite)
}

// Deliver is Karmada's binding and execution controllers: the workload's Work in each cluster of the result bears the template's labels.
func (p *Plane) Deliver(ctx context.Context, a App) error {
	return unhurried(func() error { return p.deliver(ctx, a) })
}

func (p *Plane) deliver(ctx context.Context, a App) error {
	d := &appsv1.Deployment{}
	if err := p.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, d); err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	d.APIVersion, d.Kind, d.ManagedFields = "apps/v1", deploymentKind, nil
	counts, err := p.counts(ctx, a)
	if err != nil {
		return err
	}
	for _, c := range a.Clusters {
		d.Spec.Replicas = ptr.To(counts[c.Name])
		manifest, err := json.Marshal(d)
		if err != nil {
			return fmt.Errorf("encoding the template: %w", err)
		}
		work := &workv1alpha1.Work{ObjectMeta: metav1.ObjectMeta{
			Namespace: names.GenerateExecutionSpaceName(c.Name), Name: names.GenerateWorkName(deploymentKind, a.Name, a.Namespace),
		}}
		spec := workv1alpha1.WorkSpec{
			Workload: workv1alpha1.WorkloadTemplate{Manifests: []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: manifest}}}},
		}
		err = p.Client.Get(ctx, client.ObjectKeyFromObject(work), work)
		work.Spec = spec
		if apierrors.IsNotFound(err) {
			err = p.Client.Create(ctx, work)
		} else if err == nil {
			err = p.Client.Update(ctx, work)
		}
		if err != nil {
			return fmt.Errorf("delivering to %s: %w", c.Name, err)
		}
	}
	return nil
}

// Detect is Karmada's detector: the binding is made from the template as it is. While there is a ledger the replicas stay the sum.
func (p *Plane) Detect(ctx context.Context, a App) error {
	return unhurried(func() error {
		d, b := &appsv1.Deployment{}, &workv1alpha2.ResourceBinding{}
		if err := p.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, d); err != nil {
			return fmt.Errorf("reading the template: %w", err)
		}
		key := client.ObjectKey{Namespace: a.Namespace, Name: names.GenerateBindingName(deploymentKind, a.Name)}
		if err := p.Client.Get(ctx, key, b); err != nil {
			return fmt.Errorf("reading the binding: %w", err)
		}
		if b.Spec.Resource.ResourceVersion == d.ResourceVersion {
			return nil
		}
		b.Spec.Resource.ResourceVersion = d.ResourceVersion
		if b.Annotations[api.FedHPALedgerAnnotation] == "" {
			b.Spec.Replicas = *d.Spec.Replicas
		}
		if err := p.Client.Update(ctx, b); err != nil {
			return fmt.Errorf("writing the binding: %w", err)
		}
		return nil
	})
}

// counts of the scheduling result, or those the application begins with while there is none.
func (p *Plane) counts(ctx context.Context, a App) (map[string]int32, error) {
	binding := &workv1alpha2.ResourceBinding{}
	clusters := a.Clusters
	err := p.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: names.GenerateBindingName(deploymentKind, a.Name)}, binding)
	switch {
	case err == nil:
		clusters = binding.Spec.Clusters
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("reading the binding: %w", err)
	}
	out := map[string]int32{}
	for _, c := range clusters {
		out[c.Name] = c.Replicas
	}
	return out, nil
}

// Schedule is karmada-scheduler seeing the binding's present generation, and Karmada's status collection beside it.
func (p *Plane) Schedule(ctx context.Context, a App) error {
	return unhurried(func() error { return p.collect(ctx, a, true) })
}

// Collect is Karmada's status collection alone: members run what the binding says, and karmada-scheduler does not see it.
func (p *Plane) Collect(ctx context.Context, a App) error {
	return unhurried(func() error { return p.collect(ctx, a, false) })
}

func (p *Plane) collect(ctx context.Context, a App, scheduled bool) error {
	b := &workv1alpha2.ResourceBinding{}
	err := p.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: names.GenerateBindingName(deploymentKind, a.Name)}, b)
	if err != nil {
		return fmt.Errorf("reading the binding: %w", err)
	}
	if scheduled {
		b.Status.SchedulerObservedGeneration = b.Generation
	}
	b.Status.AggregatedStatus = nil
	for _, c := range b.Spec.Clusters {
		raw := fmt.Appendf(nil, `{"replicas":%d,"readyReplicas":%d,"generation":1,"observedGeneration":1}`, c.Replicas, c.Replicas)
		b.Status.AggregatedStatus = append(b.Status.AggregatedStatus,
			workv1alpha2.AggregatedStatusItem{ClusterName: c.Name, Applied: true, Status: &runtime.RawExtension{Raw: raw}})
	}
	if err := p.Client.Status().Update(ctx, b); err != nil {
		return fmt.Errorf("writing the binding's status: %w", err)
	}
	return nil
}

// Report is a member's autoscaler asking for a count, as Karmada reflects it: the limits it was sent are in force.
func (p *Plane) Report(ctx context.Context, a App, cluster string, desired int32) error {
	return unhurried(func() error { return p.report(ctx, a, cluster, desired) })
}

// ReportIll is a member's autoscaler that has no metrics: the workload stands at current, whoever put it there, and desired is of before.
func (p *Plane) ReportIll(ctx context.Context, a App, cluster string, current, desired int32) error {
	return unhurried(func() error {
		return p.reportAs(ctx, a, cluster, fmt.Sprintf(`"currentReplicas":%d,"desiredReplicas":%d,`, current, desired)+
			`"conditions":[{"type":"ScalingActive","status":"False","reason":"FailedGetResourceMetric","message":"no metrics"}]`)
	})
}

func (p *Plane) report(ctx context.Context, a App, cluster string, desired int32) error {
	return p.reportAs(ctx, a, cluster, fmt.Sprintf(`"currentReplicas":%d,"desiredReplicas":%d`, desired, desired))
}

func (p *Plane) reportAs(ctx context.Context, a App, cluster, says string) error {
	work, err := p.AutoscalerWork(ctx, a, cluster)
	if err != nil {
		return err
	}
	hpa, err := autoscalerIn(work)
	if err != nil {
		return err
	}
	meta.SetStatusCondition(&work.Status.Conditions, metav1.Condition{
		Type: workv1alpha1.WorkApplied, Status: metav1.ConditionTrue, Reason: "AppliedSuccessful",
	})
	raw := fmt.Appendf(nil, `{%s,"minReplicas":%d,"maxReplicas":%d}`, says, *hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas)
	work.Status.ManifestStatuses = []workv1alpha1.ManifestStatus{{
		Identifier: workv1alpha1.ResourceIdentifier{
			Group: "autoscaling", Version: "v2", Kind: hpa.Kind, Resource: "horizontalpodautoscalers", Name: hpa.Name, Namespace: hpa.Namespace,
		},
		Status: &runtime.RawExtension{Raw: raw},
	}}
	if err := p.Client.Status().Update(ctx, work); err != nil {
		return fmt.Errorf("reporting for %s: %w", cluster, err)
	}
	return nil
}

func autoscalerIn(work *workv1alpha1.Work) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := json.Unmarshal(work.Spec.Workload.Manifests[0].Raw, hpa); err != nil {
		return nil, fmt.Errorf("reading the autoscaler in Work %s/%s: %w", work.Namespace, work.Name, err)
	}
	return hpa, nil
}

// Limits are those a member's autoscaler is sent.
func (p *Plane) Limits(work *workv1alpha1.Work) (split.Range, error) {
	hpa, err := autoscalerIn(work)
	if err != nil {
		return split.Range{}, err
	}
	return split.Range{Min: *hpa.Spec.MinReplicas, Max: hpa.Spec.MaxReplicas}, nil
}

// AutoscalerWork is the Work of a member's autoscaler.
func (p *Plane) AutoscalerWork(ctx context.Context, a App, cluster string) (*workv1alpha1.Work, error) {
	work := &workv1alpha1.Work{}
	key := client.ObjectKey{
		Namespace: names.GenerateExecutionSpaceName(cluster), Name: names.GenerateWorkName("HorizontalPodAutoscaler", a.Name, a.Namespace),
	}
	if err := p.Client.Get(ctx, key, work); err != nil {
		return nil, fmt.Errorf("reading the autoscaler's Work of %s: %w", cluster, err)
	}
	return work, nil
}

// Release is Karmada's execution controller once the member's autoscaler is gone: it lets the Work go.
func (p *Plane) Release(ctx context.Context, a App, cluster string) error {
	return unhurried(func() error {
		work, err := p.AutoscalerWork(ctx, a, cluster)
		if err != nil {
			return err
		}
		work.Finalizers = nil
		if err := p.Client.Update(ctx, work); err != nil {
			return fmt.Errorf("releasing the autoscaler's Work of %s: %w", cluster, err)
		}
		return nil
	})
}

// FedHPA for the app, with the app's name.
func (a App) FedHPA(lo, hi int32) *api.FedHPA {
	return &api.FedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name},
		Spec: api.FedHPASpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: deploymentKind, Name: a.Name},
			MinReplicas:    lo, MaxReplicas: hi,
		},
	}
}
