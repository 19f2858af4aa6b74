package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/interpreter/family"
)

// readTimeout leaves part of the registration's timeout for the answer, so that Karmada reads why there is none.
const readTimeout = (timeoutSeconds - 2) * time.Second

// errNoBinding means that nobody is dividing the workload: whoever asks is not a sync of Karmada's.
var errNoBinding = errors.New("no such ResourceBinding")

// Division is how a workload's replicas lie over clusters.
type Division struct {
	// Clusters in the order of the binding; nil when nothing is divided.
	Clusters []workv1alpha2.TargetCluster
	// CreatedWith and Updated are as in family.Target.
	CreatedWith map[string]string
	Updated     map[string]family.Updated
}

// Divider knows how a workload's replicas are divided over clusters.
type Divider interface {
	// Division for the question after the manifest of a cluster with so many replicas. errNoBinding: there is none.
	Division(ctx context.Context, object *unstructured.Unstructured, replicas int32) (Division, error)
	// Duplicated is true where every cluster has all of the workload's replicas. errNoBinding: there is none.
	Duplicated(ctx context.Context, object *unstructured.Unstructured) (bool, error)
}

// version of a binding. One that was made anew under its name counts its generations from 1 again.
type version struct {
	uid        types.UID
	generation int64
}

func versionOf(binding client.Object) version {
	return version{uid: binding.GetUID(), generation: binding.GetGeneration()}
}

// bound is what one reading of a binding says.
type bound struct {
	Division
	version
	// replicas are the fleet's, as Karmada last took them from the template.
	replicas int32
}

func read(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) (bound, error) {
	binding, err := find(ctx, reader, object)
	if err != nil {
		return bound{}, err
	}
	if duplicated(binding) {
		return bound{version: versionOf(binding), replicas: binding.Spec.Replicas}, nil
	}
	division, err := said(binding.Status.AggregatedStatus)
	if err != nil {
		return bound{}, fmt.Errorf("reading ResourceBinding %s: %w", bindingKey(object), err)
	}
	division.Clusters = merged(binding.Spec)
	return bound{Division: division, version: versionOf(binding), replicas: binding.Spec.Replicas}, nil
}

// find reads the object's binding.
func find(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) (*workv1alpha2.ResourceBinding, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	key := bindingKey(object)
	var binding workv1alpha2.ResourceBinding
	err := reader.Get(ctx, key, &binding)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading ResourceBinding %s: %w", key, errNoBinding)
	}
	if err != nil {
		return nil, fmt.Errorf("reading ResourceBinding %s: %w", key, err)
	}
	// A binding's name holds no group: of two kinds of one name, the other may own it.
	of := binding.Spec.Resource
	group := schema.FromAPIVersionAndKind(of.APIVersion, of.Kind).GroupKind()
	if group != object.GroupVersionKind().GroupKind() || of.Name != object.GetName() {
		return nil, fmt.Errorf("reading ResourceBinding %s: it belongs to %s %s/%s", key, group, of.Namespace, of.Name)
	}
	return &binding, nil
}

// duplicated is what the binding's policy says. Of a workload that another one brings along it says nothing.
func duplicated(binding *workv1alpha2.ResourceBinding) bool {
	p := binding.Spec.Placement
	return p != nil && p.ReplicaSchedulingType() == policyv1alpha1.ReplicaSchedulingTypeDuplicated
}

func bindingKey(object *unstructured.Unstructured) types.NamespacedName {
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: names.GenerateBindingName(object.GetKind(), object.GetName())}
}

// statement is what of a cluster's status is read.
type statement struct {
	CreatedWith string `json:"createdWithTemplate"`
	Template    string `json:"updatedTemplate"`
	Updated     int32  `json:"updatedReplicas"`
	Replicas    int32  `json:"replicas"`
	// OpenKruise makes a new replica that is held back from the current revision.
	CurrentRevision string `json:"currentRevision"`
	UpdateRevision  string `json:"updateRevision"`
}

// said is what the clusters have reported of the templates their replicas are of.
func said(items []workv1alpha2.AggregatedStatusItem) (Division, error) {
	out := Division{CreatedWith: make(map[string]string, len(items)), Updated: make(map[string]family.Updated, len(items))}
	for _, item := range items {
		if item.Status == nil {
			continue
		}
		var s statement
		if err := json.Unmarshal(item.Status.Raw, &s); err != nil {
			return out, fmt.Errorf("status.aggregatedStatus[%s].status: %w", item.ClusterName, err)
		}
		out.CreatedWith[item.ClusterName] = s.CreatedWith
		if s.Template != "" {
			out.Updated[item.ClusterName] = family.Updated{
				Template: s.Template, Replicas: s.Updated, Total: s.Replicas,
				All: s.UpdateRevision != "" && s.CurrentRevision == s.UpdateRevision,
			}
		}
	}
	return out, nil
}

// merged adds the clusters of workloads that depend on this one, as Karmada does when it makes the manifests.
func merged(spec workv1alpha2.ResourceBindingSpec) []workv1alpha2.TargetCluster {
	out := spec.Clusters
	have := map[string]bool{}
	for _, c := range out {
		have[c.Name] = true
	}
	for _, by := range spec.RequiredBy {
		for _, c := range by.Clusters {
			if !have[c.Name] {
				have[c.Name] = true
				out = append(out, c)
			}
		}
	}
	return out
}
