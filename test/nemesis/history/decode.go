package history

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"
)

var kept = []string{
	Deployments, Pods, HPAs, Events, CloneSets, StatefulSets, Works, Bindings, Policies, Clusters,
	FedHPAs, CronHPAs, PodScaleIns, Migrations, Whitelists, Releases,
}

// parseKey reads /<plane>/<resource>/[<namespace>/]<name>; ok is false of what is not kept. Resources of a CRD have their group before
// them.
func parseKey(key string) (Key, bool) {
	plane, rest, ok := strings.Cut(strings.TrimPrefix(key, "/"), "/")
	if !ok {
		return Key{}, false
	}
	if plane == aggregatedAPI {
		plane = ControlPlane
	}
	for _, resource := range kept {
		name, ok := strings.CutPrefix(rest, resource+"/")
		if !ok {
			continue
		}
		k := Key{Plane: plane, Resource: resource, Name: name}
		if namespace, name, ok := strings.Cut(name, "/"); ok {
			k.Namespace, k.Name = namespace, name
		}
		return k, !slices.Contains([]string{"kube-system", "kruise-system", "kube-node-lease"}, k.Namespace)
	}
	return Key{}, false
}

// decode reads a value of etcd: JSON of custom resources, protobuf of Kubernetes' own.
func decode(resource string, value []byte) (Object, error) {
	o := Object{}
	if bytes.HasPrefix(value, []byte("{")) {
		if err := json.Unmarshal(value, (*map[string]any)(&o)); err != nil {
			return nil, fmt.Errorf("reading a stored %s: %w", resource, err)
		}
		return trim(resource, o), nil
	}
	typed, _, err := scheme.Codecs.UniversalDeserializer().Decode(value, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("reading a stored %s: %w", resource, err)
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("reading a stored %s: %w", resource, err)
	}
	return trim(resource, fields), nil
}
