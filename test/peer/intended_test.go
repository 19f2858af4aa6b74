package peer

import (
	"reflect"
	"slices"
	"strings"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter"
)

// intended is one way in which we differ from the Lua, and why. Facts are those read in Karmada's source and recorded in
// docs/concepts/interpretation.md.
type intended struct {
	operation configv1alpha1.InterpreterOperation
	// path of the difference; a trailing * stands for any rest.
	path string
	fact string
	// holds checks that this difference is the intended one and not merely at its place.
	holds func(k Kind, q interpreter.Question, d Difference) bool
}

const (
	factNoRetain   = "CloneSet and Advanced StatefulSet have no Retain: podsToDelete and replicas an HPA owns are overwritten"
	factPartition  = "an integer partition is copied to every member, not divided"
	factAllowance  = "an integer maxUnavailable or maxSurge is copied to every member: the fleet loses that many times the members"
	factPercentage = "a percentage is copied to every member, where each rounds it: 90% of 4+3+3 updates three of ten"
	factCreated    = "replicas in a member that is new in mid-canary are all new, and nobody counts them"
	factHealth     = "health demands updatedReplicas >= spec.replicas and availableReplicas >= updatedReplicas: a paused or partitioned " +
		"rollout is Unhealthy"
	factNoReplicas = "nil spec.replicas is an error, and to health means that nothing is expected"
	factNoStatus   = "health of an object without status is an error: its health is Unknown until OpenKruise has seen it"
	factSelector   = "StatefulSet's labelSelector is never aggregated though its scale subresource needs it; CloneSet's is empty before a " +
		"member reports"
	factStatus      = "status is a fixed list of fields: conditions, updatedAvailableReplicas and StatefulSet's labelSelector are lost"
	factNoStatusYet = "an object without status is reported without its generations"
	factRevisions   = "the last member's revisions win, whichever template it has; none is an empty text instead of absent"
	factHash        = "daemonSetHash of no members is the number 0, where the CRD has text"
	factNamed       = "podsToDelete on the template reaches every member, whose OpenKruise refuses the unknown names and the whole update"
	factRequest     = "namespace and priority class are left out unless the gate ResourceQuotaEstimate is on"
	factSidecar     = "a sidecar (an init container that restarts always) is taken for an init container: its requests do not add up"
	factNothing     = "a workload that depends on nothing is an error, so none of its dependencies' bindings are brought up to date"
	factService     = "StatefulSet's governing Service is no dependency, and the volumes of its claim templates are"
)

var intendedDifferences = []intended{
	{"Retain", "object/spec/scaleStrategy/podsToDelete", factNoRetain, func(_ Kind, q interpreter.Question, d Difference) bool {
		return reflect.DeepEqual(d.Ours, at(q.Observed, d.Path))
	}},
	{"Retain", "object/spec/replicas", factNoRetain, func(_ Kind, q interpreter.Question, d Difference) bool {
		return q.Object.GetLabels()["resourcetemplate.karmada.io/retain-replicas"] == "true" && reflect.DeepEqual(d.Ours, at(q.Observed, d.Path))
	}},
	{"Retain", "object/spec/updateStrategy*", factNoRetain, func(_ Kind, q interpreter.Question, d Difference) bool {
		owned := strings.HasSuffix(d.Path, "/partition") || strings.HasSuffix(d.Path, "/paused")
		return owned && q.Object.GetLabels()["interpreter.argosy.dev/retain"] == "rollout" && reflect.DeepEqual(d.Ours, at(q.Observed, d.Path))
	}},

	{"ReviseReplica", "object/spec/updateStrategy*", factPartition, func(_ Kind, q interpreter.Question, d Difference) bool {
		ours, ok := d.Ours.(int64)
		return ok && strings.HasSuffix(d.Path, "/partition") && integer(q, d.Path) && ours <= int64(q.Target.Replicas)
	}},
	{"ReviseReplica", "object/spec/updateStrategy*", factAllowance, func(_ Kind, q interpreter.Question, d Difference) bool {
		ours, ok := d.Ours.(int64)
		return ok && strings.HasSuffix(d.Path, "/maxUnavailable") && integer(q, d.Path) && ours >= 1 && ours < at(q.Object, d.Path).(int64)
	}},
	{"ReviseReplica", "object/spec/updateStrategy*", factPercentage, func(_ Kind, q interpreter.Question, d Difference) bool {
		ours, ok := d.Ours.(int64)
		_, percent := at(q.Object, d.Path).(string)
		total, _ := at(q.Object, "object/spec/replicas").(int64)
		return ok && percent && ours >= 0 && ours <= max(1, total, int64(q.Target.Replicas)) &&
			q.Object.GetLabels()["resourcetemplate.karmada.io/retain-replicas"] != "true"
	}},
	{"ReviseReplica", "object/metadata/annotations/interpreter.argosy.dev/created-with", factCreated,
		func(k Kind, q interpreter.Question, d Difference) bool {
			return d.Lua == nil && !slices.Contains([]any{nil, int64(0), "0%"}, at(q.Object, "object/"+strings.Join(k.rolling, "/")+"/partition"))
		}},
	{"ReviseReplica", "object/metadata/annotations/interpreter.argosy.dev/template", factCreated,
		func(k Kind, q interpreter.Question, d Difference) bool {
			return d.Lua == nil && !slices.Contains([]any{nil, int64(0), "0%"}, at(q.Object, "object/"+strings.Join(k.rolling, "/")+"/partition"))
		}},
	{"ReviseReplica", "object/metadata/annotations/interpreter.argosy.dev*", factPartition,
		func(_ Kind, q interpreter.Question, d Difference) bool {
			return d.Lua == nil && len(q.Target.Clusters) > 0
		}},
	{"ReviseReplica", "object/spec/scaleStrategy/podsToDelete", factNamed, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return d.Ours == nil
	}},

	{"InterpretHealth", "healthy", factHealth, func(k Kind, q interpreter.Question, d Difference) bool {
		return d.Ours == true && (held(k, q.Object) || withinAllowance(k, q.Object))
	}},
	{"InterpretHealth", "healthy", factNoReplicas, func(k Kind, q interpreter.Question, d Difference) bool {
		return d.Lua == true && k.HasReplicas() && at(q.Object, "object/spec/replicas") == nil
	}},
	{"InterpretHealth", "error", factNoStatus, func(_ Kind, q interpreter.Question, d Difference) bool {
		return d.Lua == failed && at(q.Object, "object/status") == nil
	}},

	{"InterpretStatus", "status/*", factStatus, func(_ Kind, q interpreter.Question, d Difference) bool {
		return d.Lua == nil && reflect.DeepEqual(d.Ours, at(q.Object, "object/"+d.Path)) &&
			slices.Contains([]string{"status/conditions", "status/updatedAvailableReplicas", "status/labelSelector"}, d.Path)
	}},
	{"InterpretStatus", "status/*", factNoStatusYet, func(_ Kind, q interpreter.Question, d Difference) bool {
		return d.Lua == nil && at(q.Object, "object/status") == nil && d.Ours == int64(3)
	}},

	{"AggregateStatus", "object/status/conditions", factStatus, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return d.Lua == nil
	}},
	{"AggregateStatus", "object/status/updatedAvailableReplicas", factStatus, func(_ Kind, q interpreter.Question, d Difference) bool {
		var sum int64
		for _, m := range q.Members {
			n, _ := m.Status["updatedAvailableReplicas"].(int64)
			sum += n
		}
		return d.Lua == nil && d.Ours == sum
	}},
	{"AggregateStatus", "object/status/labelSelector", factSelector, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return (d.Lua == nil || d.Lua == "") && d.Ours == "app=web"
	}},
	{"AggregateStatus", "object/status/currentRevision", factRevisions, func(_ Kind, q interpreter.Question, d Difference) bool {
		return d.Lua == "" && d.Ours == nil || d.Ours == "web-old" && says(q, "currentRevision", "web-old")
	}},
	{"AggregateStatus", "object/status/updateRevision", factRevisions, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return d.Lua == "" && d.Ours == nil
	}},
	{"AggregateStatus", "object/status/daemonSetHash", factHash, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return d.Lua == int64(0) && d.Ours == ""
	}},

	{"InterpretReplica", "error", factNoReplicas, func(_ Kind, q interpreter.Question, d Difference) bool {
		return d.Lua == failed && at(q.Object, "object/spec/replicas") == nil
	}},
	{"InterpretReplica", "requirements/namespace", factRequest, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return d.Lua == nil && d.Ours == "shop"
	}},
	{"InterpretReplica", "requirements/priorityClassName", factRequest, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return d.Lua == nil && d.Ours == "high"
	}},
	{"InterpretReplica", "requirements/resources/cpu", factSidecar, func(_ Kind, q interpreter.Question, d Difference) bool {
		first, _ := at(q.Object, "object/spec/template/spec/initContainers").([]any)
		return len(first) == 1 && first[0].(values)["restartPolicy"] == "Always" && d.Ours.(int64) > d.Lua.(int64)
	}},

	{"InterpretDependency", "error", factNothing, func(_ Kind, _ interpreter.Question, d Difference) bool {
		return d.Lua == failed
	}},
	{"InterpretDependency", "dependencies", factService, func(k Kind, q interpreter.Question, d Difference) bool {
		want := slices.Clone(d.Lua.([]any))
		if at(q.Object, "object/spec/volumeClaimTemplates") != nil {
			want = slices.DeleteFunc(want, func(name any) bool { return name == "PersistentVolumeClaim shop/archive" })
		}
		if at(q.Object, "object/spec/serviceName") != nil {
			want = append(want, "Service shop/web")
		}
		slices.SortFunc(want, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		return k.Name == "StatefulSet" && reflect.DeepEqual(want, d.Ours)
	}},
}

// at is what stands in an object at a difference's path, which begins with "object/".
func at(object *unstructured.Unstructured, path string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(object.Object, strings.Split(path, "/")[1:]...)
	return value
}

func integer(q interpreter.Question, path string) bool {
	_, ok := at(q.Object, path).(int64)
	return ok
}

func says(q interpreter.Question, name, text string) bool {
	for _, m := range q.Members {
		if m.Status[name] == text {
			return true
		}
	}
	return false
}

// number is the first of the status's counts that is there.
func number(object *unstructured.Unstructured, names ...string) int64 {
	for _, name := range names {
		if n, ok := at(object, "object/status/"+name).(int64); ok {
			return n
		}
	}
	return 0
}

// held is true where a person holds the rollout.
func held(k Kind, object *unstructured.Unstructured) bool {
	rolling := "object/" + strings.Join(k.rolling, "/")
	partition := at(object, rolling+"/partition")
	return at(object, rolling+"/paused") == true || at(object, rolling+"/selector") != nil || partition != nil ||
		at(object, "object/spec/updateStrategy/type") == "OnDelete" || k.Name == "CloneSet"
}

// withinAllowance is true where no more replicas are missing than may be.
func withinAllowance(k Kind, object *unstructured.Unstructured) bool {
	replicas, ok := at(object, "object/spec/replicas").(int64)
	if !ok {
		replicas = 1
	}
	if !k.HasReplicas() {
		replicas = number(object, "desiredNumberScheduled")
	}
	allowed := intstr.FromInt32(1)
	switch value := at(object, "object/"+strings.Join(k.rolling, "/")+"/maxUnavailable").(type) {
	case int64:
		allowed = intstr.FromInt32(int32(value))
	case string:
		allowed = intstr.FromString(value)
	}
	missing, err := intstr.GetScaledValueFromIntOrPercent(&allowed, int(replicas), false)
	return err == nil && replicas-number(object, "availableReplicas", "numberAvailable") <= int64(missing)
}
