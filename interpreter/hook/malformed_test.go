package hook

import (
	"encoding/json"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/interpreter"
)

// Go's own fuzzing follows coverage through all of Kubernetes that this package links, at a few inputs a second. So
// besides it real questions are spoiled at random, by the hundred thousand: -spoiled sets how many.
var (
	spoiled = flag.Int("spoiled", 5000, "how many spoiled requests to send")
	seed    = flag.Uint64("seed", 1, "of the spoiled requests")
)

// TestSpoiledRequests: whatever is spoiled in a real question of any family and operation, the answer is well-formed,
// no rule panics, and a refusal holds no patch (answered checks it).
func TestSpoiledRequests(t *testing.T) {
	h := newHandler(t, dividerFunc(func() ([]workv1alpha2.TargetCluster, error) {
		return []workv1alpha2.TargetCluster{{Name: "a", Replicas: 3}, {Name: "b", Replicas: 4}}, nil
	}))
	whole := wholeQuestions(t)
	r := rand.New(rand.NewPCG(*seed, 0)) //nolint:gosec // spoiling needs to be repeatable, not secret
	successes := 0
	for range *spoiled {
		question := runtime.DeepCopyJSON(whole[r.IntN(len(whole))])
		for range 1 + r.IntN(3) {
			// Mostly below the envelope, whose few fields would otherwise take all of it.
			at := question
			if request, ok := question["request"].(map[string]any); ok && r.IntN(10) > 0 {
				parts := []any{request["object"], request["observedObject"], map[string]any{"": request["aggregatedStatus"]}}
				if part, ok := parts[r.IntN(len(parts))].(map[string]any); ok {
					at = part
				}
			}
			spoil(r, at)
		}
		body, err := json.Marshal(question)
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(8) == 0 {
			body[r.IntN(len(body))] = byte(r.IntN(256))
		}
		if r.IntN(16) == 0 {
			body = body[:r.IntN(len(body))]
		}
		if answered(t, h, body) {
			successes++
		}
	}
	t.Logf("%d requests: %d answered, %d refused", *spoiled, successes, *spoiled-successes)
	if few := *spoiled / 20; successes < few || *spoiled-successes < few {
		t.Errorf("%d of %d succeeded: the spoiling is too strong or too weak to prove anything", successes, *spoiled)
	}
}

// wholeQuestions are every operation on every family's kinds, with the object rich in what rules read.
func wholeQuestions(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, f := range interpreter.Families() {
		for _, kind := range f.Kinds {
			object := sample(t, kind.Kind)
			object["apiVersion"], object["kind"] = kind.GroupVersion().String(), kind.Kind
			status := map[string]any{
				"replicas": int64(3), "observedGeneration": int64(1), "updateRevision": "b", "currentRevision": "a",
				"conditions": []any{map[string]any{"type": "Ready", "status": "True", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}},
			}
			object["status"] = status
			for _, operation := range f.Operations() {
				out = append(out, map[string]any{
					"apiVersion": "config.karmada.io/v1alpha1", "kind": "ResourceInterpreterContext",
					"request": map[string]any{
						"uid": "u1", "kind": map[string]any{"group": kind.Group, "version": kind.Version, "kind": kind.Kind},
						"name": "web", "namespace": "shop", "operation": string(operation), "replicas": int64(3),
						"object": runtime.DeepCopyJSON(object), "observedObject": runtime.DeepCopyJSON(object),
						"aggregatedStatus": []any{map[string]any{"clusterName": "a", "status": runtime.DeepCopyJSON(status), "applied": true}},
					},
				})
			}
		}
	}
	return out
}

// sample is the kind's sample, or a workload of OpenKruise.
func sample(t *testing.T, kind string) map[string]any {
	t.Helper()
	text := []byte(workload)
	if file, ours := map[string]string{"VMReplicaSet": "vmreplicaset", "VMDeployment": "vmdeployment", "Component": "component"}[kind]; ours {
		var err error
		if text, err = os.ReadFile("../../deploy/samples/" + file + ".yaml"); err != nil {
			t.Fatal(err)
		}
	}
	var object map[string]any
	if err := yaml.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

const workload = `
metadata:
  name: web
  namespace: shop
  generation: 1
  labels: {resourcetemplate.karmada.io/retain-replicas: "true", interpreter.argosy.dev/retain: rollout}
  annotations:
    work.karmada.io/namespace: karmada-es-a
    resourcetemplate.karmada.io/generation: "1"
    scalein.argosy.dev/request: "7f;a:3=web-1,web-2"
    interpreter.argosy.dev/divided: partition=5
    interpreter.argosy.dev/partition-by-cluster: a=2,b=3
spec:
  replicas: 10
  selector: {matchLabels: {app: web}, matchExpressions: [{key: a, operator: In, values: [b]}]}
  serviceName: web
  scaleStrategy: {podsToDelete: [web-0], maxUnavailable: 3}
  reserveOrdinals: [1]
  updateStrategy: {type: RollingUpdate, partition: 5, maxUnavailable: 3, maxSurge: 2, paused: false,
    rollingUpdate: {partition: 5, maxUnavailable: 3, paused: true}}
  volumeClaimTemplates: [{metadata: {name: data}}]
  template:
    spec:
      serviceAccountName: web
      priorityClassName: high
      nodeSelector: {pool: a}
      tolerations: [{key: a, operator: Exists}]
      imagePullSecrets: [{name: registry}]
      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}}}
      initContainers: [{name: i, restartPolicy: Always, resources: {requests: {cpu: 1}}}]
      containers: [{name: c, envFrom: [{configMapRef: {name: a}}], env: [{name: E, valueFrom: {secretKeyRef: {name: s}}}],
        resources: {requests: {cpu: 250m}, limits: {memory: 1Gi}}}]
      volumes: [{name: v, configMap: {name: a}}, {name: p, projected: {sources: [{secret: {name: q}}]}}]
`

// spoil changes one thing somewhere in the tree.
func spoil(r *rand.Rand, tree map[string]any) {
	var at any = tree
	for {
		switch v := at.(type) {
		case map[string]any:
			if len(v) == 0 {
				return
			}
			key := slices.Sorted(maps.Keys(v))[r.IntN(len(v))]
			if inner(v[key]) && r.IntN(6) > 0 {
				at = v[key]
				continue
			}
			if r.IntN(4) == 0 {
				delete(v, key)
			} else {
				v[key] = junk(r)
			}
			return
		case []any:
			if len(v) == 0 {
				return
			}
			i := r.IntN(len(v))
			if inner(v[i]) && r.IntN(6) > 0 {
				at = v[i]
				continue
			}
			v[i] = junk(r)
			return
		default:
			return
		}
	}
}

func inner(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// junk is a value where another was expected.
func junk(r *rand.Rand) any {
	values := []any{
		nil, true, int64(0), int64(-1), int64(1 << 40), 1.5, "", "text", "150%", "-5%", "a=b;c", "\x00\xff", "999999999999999999999",
		[]any{}, []any{nil}, []any{"a", int64(1)}, map[string]any{}, map[string]any{"name": int64(1)}, map[string]any{"": []any{}},
	}
	return values[r.IntN(len(values))]
}
