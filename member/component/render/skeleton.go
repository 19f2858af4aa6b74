package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

const (
	labelName      = "app.kubernetes.io/name"
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "argosy"
	// portName is the name of the main container's port and of the Service's, unless a template names it.
	portName = "main"
)

func replicasOf(component *v1alpha1.Component) int32 { return ptr.Deref(component.Spec.Replicas, 1) }

// selector finds the component's pods. It can never be changed in a workload that runs, so an adopted one keeps its own.
func (r *renderer) selector() map[string]any {
	if adopt := r.component.Spec.Adopt; adopt != nil {
		out := make(map[string]any, len(adopt.Selector))
		for key, value := range adopt.Selector {
			out[key] = value
		}
		return out
	}
	return map[string]any{v1alpha1.LabelComponent: r.component.Name}
}

// identify says what the object is and whose, whatever the layers said.
func (r *renderer) identify(object map[string]any, id identity) {
	object["apiVersion"], object["kind"] = kinds[id.kind].apiVersion, string(id.kind)
	metadata, _ := object["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		object["metadata"] = metadata
	}
	metadata["name"] = id.name
	if r.component.Namespace != "" {
		metadata["namespace"] = r.component.Namespace
	}
	labels, _ := metadata["labels"].(map[string]any)
	if labels == nil {
		labels = map[string]any{}
		metadata["labels"] = labels
	}
	labels[v1alpha1.LabelComponent], labels[labelManagedBy] = r.component.Name, managedBy
}

// skeleton is what follows from the kind. Everything here can be said otherwise by a template.
func (r *renderer) skeleton(id identity, workload map[string]any) map[string]any {
	object := map[string]any{"metadata": map[string]any{"labels": map[string]any{labelName: r.component.Name}}}
	switch id.kind {
	case r.workloadKind():
		object["spec"] = r.workloadSkeleton()
	case kindService:
		spec := map[string]any{"selector": r.selector()}
		if id.name == r.names.service && r.hasService() || id.name == r.names.balancer {
			spec["ports"] = []any{map[string]any{"name": portName, "port": int64(r.component.Spec.Port), "targetPort": r.targetPort(workload)}}
		}
		object["spec"] = spec
	case kindAutoscaler:
		object["spec"] = map[string]any{"scaleTargetRef": map[string]any{
			"apiVersion": kinds[r.workloadKind()].apiVersion, "kind": string(r.workloadKind()), "name": r.names.workload,
		}}
	case kindDisruption:
		object["spec"] = map[string]any{"selector": map[string]any{"matchLabels": r.selector()}}
	}
	return object
}

func (r *renderer) workloadSkeleton() map[string]any {
	labels := r.selector()
	if r.component.Spec.Adopt == nil {
		// One label more would restart the pods of an adopted workload.
		labels[labelName] = r.component.Name
	}
	port := map[string]any{"name": portName, "containerPort": int64(r.component.Spec.Port)}
	main := map[string]any{"name": r.names.container, "ports": []any{port}}
	spec := map[string]any{
		"selector": map[string]any{"matchLabels": r.selector()},
		"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": map[string]any{"containers": []any{main}}},
	}
	if r.component.Spec.WorkloadType == v1alpha1.WorkloadStatefulSet {
		// It can never be changed: it does not depend on whether there is a Service today.
		spec["serviceName"] = r.names.service
	}
	return spec
}

// specLayer is what the fields of the Component say of its own objects; nil of others. object is what it is laid over.
func (r *renderer) specLayer(id identity, object map[string]any) (*layer, error) {
	var spec map[string]any
	var err error
	switch {
	case id == identity{r.workloadKind(), r.names.workload}:
		spec, err = r.workloadSpec(object)
	case id == identity{kindService, r.names.service} && r.hasService():
		spec = r.serviceSpec()
	case id == identity{kindService, r.names.balancer}:
		spec = r.balancerSpec()
	case id == identity{kindIngress, r.names.ingress} && r.component.Spec.Ingress != nil:
		spec = r.ingressSpec()
	default:
		return nil, nil
	}
	at := r.componentError(field.NewPath("spec"), nil)
	if err != nil {
		return nil, at.under(at.Field, err)
	}
	return &layer{from: "spec", at: at, patch: map[string]any{"spec": spec}}, nil
}

func (r *renderer) workloadSpec(object map[string]any) (map[string]any, error) {
	spec := r.component.Spec
	container, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&corev1.Container{
		Name: r.names.container, Image: spec.Image, Env: spec.Env, EnvFrom: spec.EnvFrom,
		Ports: []corev1.ContainerPort{{ContainerPort: spec.Port}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList(spec.Resources.Requests), Limits: corev1.ResourceList(spec.Resources.Limits),
		},
	})
	if err != nil {
		return nil, err
	}
	if resources, _ := container["resources"].(map[string]any); len(resources) == 0 {
		delete(container, "resources")
	}
	// The merge would replace the list. Sources are looked through in order, and the last has the last word.
	if fromTemplates, _ := r.mainContainer(object)["envFrom"].([]any); len(fromTemplates) > 0 {
		own, _ := container["envFrom"].([]any)
		container["envFrom"] = append(fromTemplates[:len(fromTemplates):len(fromTemplates)], own...)
	}
	out := map[string]any{
		"replicas": int64(replicasOf(r.component)),
		"template": map[string]any{"spec": map[string]any{"containers": []any{container}}},
	}
	if rolling := spec.Strategy.Rolling; rolling != nil {
		out[r.strategyField()] = rollingUpdate(spec.WorkloadType, rolling)
	}
	return out, nil
}

func (r *renderer) strategyField() string {
	if r.component.Spec.WorkloadType == v1alpha1.WorkloadStatefulSet {
		return "updateStrategy"
	}
	return "strategy"
}

func rollingUpdate(workload v1alpha1.WorkloadType, rolling *v1alpha1.RollingStrategy) map[string]any {
	pace := map[string]any{}
	if rolling.MaxUnavailable != nil {
		pace["maxUnavailable"] = plain(*rolling.MaxUnavailable)
	}
	// A StatefulSet has no replicas beyond the asked number.
	if rolling.MaxSurge != nil && workload == v1alpha1.WorkloadDeployment {
		pace["maxSurge"] = plain(*rolling.MaxSurge)
	}
	out := map[string]any{"type": "RollingUpdate", "rollingUpdate": pace}
	if workload == v1alpha1.WorkloadDeployment {
		out["$retainKeys"] = []any{"type", "rollingUpdate"}
	}
	return out
}

func plain(value intstr.IntOrString) any {
	if value.Type == intstr.String {
		return value.StrVal
	}
	return int64(value.IntVal)
}

func (r *renderer) serviceSpec() map[string]any {
	asked := r.component.Spec.Svc.Type
	out := map[string]any{"ports": []any{map[string]any{"port": int64(r.component.Spec.Port)}}}
	if asked == "" || r.names.balancer != "" {
		asked = v1alpha1.ServiceClusterIP
	}
	out["type"] = string(asked)
	return out
}

// balancerSpec is what the provider acts on, and no other one does.
func (r *renderer) balancerSpec() map[string]any {
	return map[string]any{
		"ports": []any{map[string]any{"port": int64(r.component.Spec.Port)}},
		"type":  string(v1alpha1.ServiceLoadBalancer), "loadBalancerClass": Provider(r.component),
	}
}

func (r *renderer) ingressSpec() map[string]any {
	ingress := r.component.Spec.Ingress
	path := ingress.Path
	if path == "" {
		path = "/"
	}
	port := map[string]any{"number": int64(r.component.Spec.Port)}
	backend := map[string]any{"service": map[string]any{"name": r.names.service, "port": port}}
	return map[string]any{"rules": []any{map[string]any{
		"host": ingress.Host,
		"http": map[string]any{"paths": []any{map[string]any{"path": path, "pathType": "Prefix", "backend": backend}}},
	}}}
}
