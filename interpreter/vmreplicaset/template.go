package vmreplicaset

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/depend"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
)

// Rules on the template in the control plane.

// interpretReplica gives requirements only where the machine runs in a pod: a machine of a cloud takes nothing from the
// member's nodes, and requirements would make the scheduler refuse members without room it does not need.
func interpretReplica(object *unstructured.Unstructured) (family.Replicas, error) {
	count, err := field.Count(object.Object, defaultReplicas, replicasPath...)
	if err != nil {
		return family.Replicas{}, err
	}
	machine, err := field.Map(object.Object, machinePath...)
	if err != nil {
		return family.Replicas{}, err
	}
	requirements, err := requirements(machine, object.GetNamespace())
	if err != nil {
		return family.Replicas{}, field.Under(err, machinePath...)
	}
	return family.Replicas{Count: count, Requirements: requirements}, nil
}

func requirements(machine map[string]any, namespace string) (*workv1alpha2.ReplicaRequirements, error) {
	r := field.Read(machine)
	hosting, zone := r.String("hosting"), r.String("zone")
	if r.Err() != nil || vmv1alpha1.MachineHosting(hosting) != vmv1alpha1.HostedInPod {
		return nil, r.Err()
	}
	size, err := podtemplate.ResourceList(machine, "resources")
	if err != nil {
		return nil, err
	}
	out := &workv1alpha2.ReplicaRequirements{ResourceRequest: size, Namespace: namespace}
	if zone != "" {
		out.NodeClaim = &workv1alpha2.NodeClaim{NodeSelector: map[string]string{corev1.LabelTopologyZone: zone}}
	}
	return out, nil
}

// interpretDependency follows every name in the spec. A Secret the control plane does not have, such as a member's own
// driver credentials, is passed over by Karmada.
func interpretDependency(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
	found := depend.On(object.GetNamespace())
	server, err := field.Map(object.Object, serverPath...)
	if err != nil {
		return nil, err
	}
	err = found.Each(server, []string{"packages"},
		depend.ConfigMapAt("configMapRef", "name"),
		depend.SecretAt("secretRef", "name"))
	if err == nil {
		err = found.In(server,
			depend.SecretAt("machine", "credentialsRef", "name"),
			depend.SecretAt("machine", "userDataRef", "name"),
			depend.SecretAt("machine", "access", "privateKeyRef", "name"))
	}
	if err != nil {
		return nil, field.Under(err, serverPath...)
	}
	if err := found.Each(object.Object, []string{"spec", "gates"}, depend.GatePlaces...); err != nil {
		return nil, err
	}
	return append(found.List(), configv1alpha1.DependentObjectReference{
		APIVersion: vmv1alpha1.GroupVersion.String(), Kind: "VMDeployment", Namespace: object.GetNamespace(), Name: object.GetName(),
	}), nil
}
