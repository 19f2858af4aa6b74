package peer

import (
	"fmt"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
)

type values = map[string]any

// Kind is one of OpenKruise's kinds that both interpreters know.
type Kind struct {
	Name, Version string
	// rolling is where partition, paused and maxUnavailable stand.
	rolling []string
	// percentPartition is true where a partition may be a percentage.
	percentPartition bool
	// revisions is true where the status names them.
	revisions bool
	// counts of the status.
	counts []string
}

// Kinds are those.
var Kinds = []Kind{
	{Name: "CloneSet", Version: "v1alpha1", rolling: []string{"spec", "updateStrategy"}, percentPartition: true, revisions: true,
		counts: []string{
			"replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "updatedReadyReplicas", "updatedAvailableReplicas",
			"expectedUpdatedReplicas"}},
	{Name: "StatefulSet", Version: "v1beta1", rolling: []string{"spec", "updateStrategy", "rollingUpdate"}, revisions: true, counts: []string{
		"replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas", "updatedReadyReplicas",
		"updatedAvailableReplicas"}},
	{Name: "DaemonSet", Version: "v1alpha1", rolling: []string{"spec", "updateStrategy", "rollingUpdate"}, counts: []string{
		"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable",
		"numberUnavailable"}},
}

// HasReplicas is false for the kind that runs once per node.
func (k Kind) HasReplicas() bool { return k.Name != "DaemonSet" }

// Operations that Karmada asks about the kind.
func (k Kind) Operations() []configv1alpha1.InterpreterOperation {
	common := []configv1alpha1.InterpreterOperation{
		configv1alpha1.InterpreterOperationRetain, configv1alpha1.InterpreterOperationAggregateStatus,
		configv1alpha1.InterpreterOperationInterpretStatus, configv1alpha1.InterpreterOperationInterpretHealth,
		configv1alpha1.InterpreterOperationInterpretDependency,
	}
	if !k.HasReplicas() {
		return common
	}
	return append(common, configv1alpha1.InterpreterOperationInterpretReplica, configv1alpha1.InterpreterOperationReviseReplica)
}

// Question draws a question about a random object of the kind, such as an apiserver with the CRD would admit.
func (k Kind) Question(t *rapid.T, operation configv1alpha1.InterpreterOperation) interpreter.Question {
	q := interpreter.Question{Operation: operation}
	switch operation {
	case configv1alpha1.InterpreterOperationInterpretStatus, configv1alpha1.InterpreterOperationInterpretHealth:
		q.Object = k.member(t)
	case configv1alpha1.InterpreterOperationRetain:
		q.Object = k.template(t)
		q.Observed = k.member(t)
	case configv1alpha1.InterpreterOperationAggregateStatus:
		q.Object = k.template(t)
		for i := range rapid.IntRange(0, 4).Draw(t, "members") {
			member := family.Member{Cluster: fmt.Sprintf("member%d", i+1), Applied: true, Health: workv1alpha2.ResourceHealthy}
			if rapid.IntRange(0, 5).Draw(t, "reported") > 0 {
				member.Status = k.reported(t)
			}
			q.Members = append(q.Members, member)
		}
	case configv1alpha1.InterpreterOperationReviseReplica:
		q.Object = k.template(t)
		q.Target = target(t)
	default:
		q.Object = k.template(t)
	}
	return q
}

func target(t *rapid.T) family.Target {
	out := family.Target{Replicas: rapid.Int32Range(0, 12).Draw(t, "target")}
	if rapid.Bool().Draw(t, "binding readable") {
		out.Clusters = []workv1alpha2.TargetCluster{{Name: "member1", Replicas: out.Replicas}}
		for i := range rapid.IntRange(0, 3).Draw(t, "other members") {
			out.Clusters = append(out.Clusters, workv1alpha2.TargetCluster{
				Name: fmt.Sprintf("member%d", i+2), Replicas: rapid.Int32Range(0, 12).Draw(t, "replicas"),
			})
		}
	}
	return out
}

func (k Kind) base() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: values{
		"apiVersion": "apps.kruise.io/" + k.Version, "kind": k.Name,
		"metadata": values{"name": "web", "namespace": "shop", "generation": int64(3)},
		"spec":     values{"selector": values{"matchLabels": values{"app": "web"}}},
	}}
}

func (k Kind) template(t *rapid.T) *unstructured.Unstructured {
	object := k.base()
	k.spec(t, object)
	set(object, k.podTemplate(t), "spec", "template")
	if chance(t, "template status", 2) {
		set(object, rapid.Int64Range(0, 3).Draw(t, "observedGeneration"), "status", "observedGeneration")
	}
	if chance(t, "retain replicas", 4) {
		set(object, "true", "metadata", "labels", "resourcetemplate.karmada.io/retain-replicas")
	}
	if chance(t, "retain rollout", 4) {
		set(object, "rollout", "metadata", "labels", "interpreter.argosy.dev/retain")
	}
	if k.Name == "StatefulSet" && chance(t, "service", 2) {
		set(object, "web", "spec", "serviceName")
	}
	if k.Name == "StatefulSet" && chance(t, "claims", 2) {
		set(object, []any{values{"metadata": values{"name": "data"}}}, "spec", "volumeClaimTemplates")
	}
	return object
}

// spec is what template and member have in common.
func (k Kind) spec(t *rapid.T, object *unstructured.Unstructured) {
	if k.HasReplicas() && !chance(t, "no replicas", 8) {
		set(object, rapid.Int64Range(0, 12).Draw(t, "replicas"), "spec", "replicas")
	}
	if chance(t, "partition", 2) {
		set(object, k.number(t, "partition", k.percentPartition), append(k.rolling, "partition")...)
	}
	if chance(t, "paused", 4) {
		set(object, true, append(k.rolling, "paused")...)
	}
	if chance(t, "maxUnavailable", 2) {
		set(object, k.number(t, "maxUnavailable", true), append(k.rolling, "maxUnavailable")...)
	}
	if k.Name == "CloneSet" && chance(t, "podsToDelete", 4) {
		set(object, []any{rapid.SampledFrom([]string{"web-a", "web-b"}).Draw(t, "pod")}, "spec", "scaleStrategy", "podsToDelete")
	}
	if k.Name == "DaemonSet" && chance(t, "selector", 5) {
		set(object, values{"matchLabels": values{"canary": "yes"}}, append(k.rolling, "selector")...)
	}
	if k.Name != "CloneSet" && chance(t, "strategy type", 3) {
		set(object, rapid.SampledFrom([]string{"RollingUpdate", "OnDelete"}).Draw(t, "type"), "spec", "updateStrategy", "type")
	}
}

func (k Kind) number(t *rapid.T, name string, percent bool) any {
	if percent && chance(t, name+" in percent", 3) {
		return fmt.Sprintf("%d%%", rapid.IntRange(0, 100).Draw(t, name))
	}
	return rapid.Int64Range(0, 12).Draw(t, name)
}

func (k Kind) member(t *rapid.T) *unstructured.Unstructured {
	object := k.base()
	k.spec(t, object)
	set(object, "karmada-es-member1", "metadata", "annotations", "work.karmada.io/namespace")
	set(object, "3", "metadata", "annotations", "resourcetemplate.karmada.io/generation")
	if chance(t, "no status", 10) {
		return object
	}
	replicas, found, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
	if !found {
		replicas = 1
	}
	if !k.HasReplicas() {
		replicas = rapid.Int64Range(0, 12).Draw(t, "nodes")
	}
	set(object, k.status(t, replicas), "status")
	return object
}

// status is one such as OpenKruise writes: of so many replicas none is counted twice.
func (k Kind) status(t *rapid.T, replicas int64) values {
	status := values{"observedGeneration": rapid.Int64Range(2, 3).Draw(t, "observedGeneration")}
	for _, name := range k.counts {
		n := rapid.Int64Range(0, replicas).Draw(t, name)
		if name == "desiredNumberScheduled" {
			n = replicas
		}
		// Kubernetes' encoders leave out what is 0 where the type says omitempty.
		if n > 0 || name != "expectedUpdatedReplicas" && name != "updatedAvailableReplicas" && name != "numberUnavailable" {
			status[name] = n
		}
	}
	if k.revisions {
		status["updateRevision"] = "web-new"
		status["currentRevision"] = rapid.SampledFrom([]string{"web-new", "web-old"}).Draw(t, "currentRevision")
		status["labelSelector"] = "app=web"
	} else {
		status["daemonSetHash"] = "new"
	}
	if chance(t, "conditions", 4) {
		status["conditions"] = []any{values{"type": "FailedCreatePod", "status": "True", "message": "quota"}}
	}
	return status
}

// reported is a status with the generations that either interpreter adds.
func (k Kind) reported(t *rapid.T) values {
	status := k.status(t, 12)
	status["generation"] = int64(3)
	status["resourceTemplateGeneration"] = rapid.Int64Range(2, 3).Draw(t, "template generation")
	return status
}

func (k Kind) podTemplate(t *rapid.T) values {
	container := values{"name": "web", "image": "web:1"}
	if chance(t, "requests", 2) {
		container["resources"] = values{"requests": values{"cpu": "500m", "memory": "1Gi"}, "limits": values{"cpu": "1", "memory": "1Gi"}}
	} else if chance(t, "limits alone", 3) {
		container["resources"] = values{"limits": values{"cpu": "1", "example.com/gpu": "2"}}
	}
	if chance(t, "env", 2) {
		container["env"] = []any{
			values{"name": "A", "valueFrom": values{"configMapKeyRef": values{"name": "settings", "key": "a"}}},
			values{"name": "B", "valueFrom": values{"secretKeyRef": values{"name": "password", "key": "b"}}},
		}
		container["envFrom"] = []any{values{"secretRef": values{"name": "more"}}, values{"configMapRef": values{"name": "settings"}}}
	}
	spec := values{"containers": []any{container}}
	if chance(t, "init container", 3) {
		first := values{"name": "first", "image": "first:1", "resources": values{"requests": values{"cpu": "2"}}}
		if chance(t, "sidecar", 2) {
			first["restartPolicy"] = "Always"
		}
		spec["initContainers"] = []any{first}
	}
	if chance(t, "overhead", 4) {
		spec["overhead"] = values{"memory": "64Mi"}
	}
	if chance(t, "placement", 3) {
		spec["nodeSelector"] = values{"disk": "ssd"}
		spec["tolerations"] = []any{values{"key": "dedicated", "operator": "Exists"}}
		spec["affinity"] = values{"nodeAffinity": values{"requiredDuringSchedulingIgnoredDuringExecution": values{"nodeSelectorTerms": []any{
			values{"matchExpressions": []any{values{"key": "zone", "operator": "In", "values": []any{"a"}}}}}}}}
	}
	if chance(t, "priority", 4) {
		spec["priorityClassName"] = "high"
	}
	if chance(t, "account", 3) {
		spec["serviceAccountName"] = rapid.SampledFrom([]string{"web", "default"}).Draw(t, "account name")
	}
	if chance(t, "pull secret", 3) {
		spec["imagePullSecrets"] = []any{values{"name": "registry"}}
	}
	if chance(t, "volumes", 2) {
		spec["volumes"] = []any{
			values{"name": "data", "persistentVolumeClaim": values{"claimName": "archive"}},
			values{"name": "keys", "secret": values{"secretName": "keys"}},
			values{
				"name": "all", "projected": values{
					"sources": []any{values{"configMap": values{"name": "projected"}}, values{"secret": values{"name": "projected"}}},
				},
			},
		}
	}
	return values{"metadata": values{"labels": values{"app": "web"}}, "spec": spec}
}

// chance is true about once in n times.
func chance(t *rapid.T, name string, n int) bool { return rapid.IntRange(1, n).Draw(t, name) == n }

func set(object *unstructured.Unstructured, value any, path ...string) {
	if err := unstructured.SetNestedField(object.Object, runtime.DeepCopyJSONValue(value), path...); err != nil {
		panic(fmt.Sprintf("setting %v: %v", path, err))
	}
}
