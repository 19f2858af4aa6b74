package workloads

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestSamplesAreAccepted(t *testing.T) {
	for _, name := range []string{"vmreplicaset", "vmdeployment", "server", "component", "component-balanced", "componenttemplate"} {
		t.Run(name, func(t *testing.T) {
			if err := apiserver.Create(context.Background(), sample(t, name)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDefaults writes the least a person can, and reads what the apiserver made of it.
func TestDefaults(t *testing.T) {
	tests := map[string]struct{ least, want string }{
		"component": {
			least: `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: python-demo:latest, port: 8080}`,
			want: `
spec:
  workloadType: Deployment
  developLanguage: python
  runType: server
  image: python-demo:latest
  port: 8080
  replicas: 1
  svc: {type: ClusterIP}
  strategy: {type: Rolling}`,
		},
		"component with details": {
			least: `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
spec:
  workloadType: StatefulSet
  developLanguage: go
  runType: worker
  image: w:1
  port: 1
  ingress: {host: w.example.com}
  strategy: {rolling: {}}
  patches: [{target: {kind: StatefulSet}, patch: {spec: {anything: {goes: true}}}}]`,
			want: `
spec:
  workloadType: StatefulSet
  developLanguage: go
  runType: worker
  image: w:1
  port: 1
  replicas: 1
  svc: {type: ClusterIP}
  ingress: {host: w.example.com, path: /}
  strategy: {type: Rolling, rolling: {maxUnavailable: 25%, maxSurge: 25%}}
  patches: [{target: {kind: StatefulSet}, patch: {spec: {anything: {goes: true}}}}]`,
		},
		"component under canary": {
			least: `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
spec:
  workloadType: Deployment
  developLanguage: go
  runType: server
  image: w:1
  port: 1
  svc: {}
  strategy: {type: Canary, canary: {steps: [{replicas: 10%}, {replicas: 3, pause: Seconds, pauseSeconds: 60}]}}`,
			want: `
spec:
  workloadType: Deployment
  developLanguage: go
  runType: server
  image: w:1
  port: 1
  replicas: 1
  svc: {type: ClusterIP}
  strategy: {type: Canary, canary: {steps: [{replicas: 10%, pause: Approval}, {replicas: 3, pause: Seconds, pauseSeconds: 60}]}}`,
		},
		"vmreplicaset": {
			least: `
apiVersion: vm.argosy.dev/v1alpha1
kind: VMReplicaSet
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      machine: {driver: openstack, image: debian, access: {privateKeyRef: {name: k}}}
      packages: [{name: p, version: "1"}]
      loadBalancers: [{name: l, pool: p, port: 80}]
      monitors: [{name: m, template: t}]
      healthCheck: {httpGet: {port: 80}}
  updateStrategy: {}
  failover: {}
  gates: [{name: g, stage: Online}]`,
			want: `
spec:
  replicas: 1
  minReadySeconds: 0
  revisionHistoryLimit: 10
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      machine: {driver: openstack, hosting: External, image: debian, access: {user: root, port: 22, privateKeyRef: {name: k}}}
      packages: [{name: p, version: "1", order: 0, installer: apt}]
      loadBalancers: [{name: l, driver: service, pool: p, port: 80, weight: 100, drainSeconds: 30}]
      monitors: [{name: m, template: t, path: /metrics}]
      healthCheck:
        httpGet: {port: 80, path: /, scheme: HTTP}
        periodSeconds: 10
        timeoutSeconds: 3
        successThreshold: 1
        failureThreshold: 3
        startupSeconds: 60
  updateStrategy: {type: RollingUpdate, maxUnavailable: 1, intervalSeconds: 0, onMachineChange: Hold}
  failover: {policy: Manual, unknownTimeoutSeconds: 300, maxInFlight: 1, maxUnhealthy: 40%, onUnrepairable: Replace, fence: BestEffort}
  removalPolicy: Approve
  gates: [{name: g, stage: Online, mode: Manual}]`,
		},
		"vmdeployment": {
			least: `
apiVersion: vm.argosy.dev/v1alpha1
kind: VMDeployment
spec:
  targetRef: {name: a}
  release: {version: "1"}
  gates: [{name: g, stage: Code, mode: Webhook, webhook: {url: "https://gate.example.com"}}]`,
			want: `
spec:
  targetRef: {kind: VMReplicaSet, name: a}
  release: {version: "1"}
  strategy: {pauseBetween: None, maxUnavailable: 1, trafficWeight: 100, maxFailed: 0}
  progressDeadlineSeconds: 600
  revisionHistoryLimit: 10
  gates: [{name: g, stage: Code, mode: Webhook, webhook: {url: "https://gate.example.com", timeoutSeconds: 10}}]`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			have := object(t, tc.least)
			if err := apiserver.Create(context.Background(), have); err != nil {
				t.Fatal(err)
			}
			want := object(t, tc.want)
			if diff := cmp.Diff(want.Object["spec"], have.Object["spec"]); diff != "" {
				t.Errorf("spec after create (-want +have):\n%s", diff)
			}
		})
	}
}

// TestStatusIsASubresource writes status as Karmada does, with UpdateStatus, beside a change of the spec that must
// not get through with it.
func TestStatusIsASubresource(t *testing.T) {
	tests := map[string]struct{ status values }{
		"vmreplicaset": {status: values{
			"observedGeneration": int64(1), "replicas": int64(6), "updatedReplicas": int64(2), "expectedUpdatedReplicas": int64(2),
			"readyReplicas": int64(6), "availableReplicas": int64(6), "initializingReplicas": int64(0), "deployingReplicas": int64(0),
			"unknownReplicas": int64(0), "offlineReplicas": int64(0), "abandonedReplicas": int64(0), "heldReplicas": int64(0),
			"selector": "app=payments",
			"pendingApprovals": []any{
				values{"gate": "g", "operationID": "1", "server": "s", "cluster": "member1", "since": "2026-01-02T03:04:05Z", "summary": "1 of 6"},
			},
			"abandoned": []any{values{"server": "s", "cluster": "member1", "replicas": int64(6), "at": "2026-01-02T03:04:05Z"}},
			"lastSlot":  int64(7),
			"conditions": []any{
				values{
					"type": "AwaitingApproval", "status": "True", "reason": "GateWaiting", "message": "m", "lastTransitionTime": "2026-01-02T03:04:05Z",
				},
			},
		}},
		"vmdeployment": {status: values{
			"observedGeneration": int64(1), "batches": int64(3), "currentBatch": int64(1), "servers": int64(6), "updatedServers": int64(1),
			"readyServers": int64(1), "version": "2.14.0",
			"failedServers": []any{values{"name": "s", "cluster": "member1", "reason": "ChecksumMismatch"}},
		}},
		"server": {status: values{
			"observedGeneration": int64(1), "phase": "Offline", "decidedBy": "Human",
			"machine":   values{"state": "Running", "bootID": "b", "hostKeys": []any{"ssh-ed25519 AAAA"}, "observedAt": "2026-01-02T03:04:05Z"},
			"creation":  values{"key": "k", "state": "Done", "at": "2026-01-02T03:04:05Z"},
			"operation": values{"sequence": int64(3), "id": "op-1", "kind": "Offline", "target": "t", "startedAt": "2026-01-02T03:04:05Z"},
			"tasks":     []any{values{"id": "notify-3", "type": "Notify", "state": "Skipped", "gate": "g", "operationID": "op-1"}},
			"lock": values{
				"holder": "h", "operationID": "op-1", "sequence": int64(3), "renewTime": "2026-01-02T03:04:05.000000Z", "leaseSeconds": int64(15),
			},
		}},
		"component": {status: values{
			"observedGeneration": int64(1), "replicas": int64(1), "readyReplicas": int64(1), "updatedReplicas": int64(1),
			"availableReplicas":       int64(1),
			"expectedUpdatedReplicas": int64(1), "selector": "app=python-demo", "requests": values{"cpu": "100m"},
			"endpoints":    []any{values{"cluster": "member1", "type": "Service", "url": "http://python-demo:8080"}},
			"loadBalancer": values{"ingress": []any{values{"ip": "10.0.0.1"}}},
			"resources":    []any{values{"apiVersion": "apps/v1", "kind": "Deployment", "name": "python-demo", "hash": "h"}},
			"canary":       values{"step": int64(1), "state": "Paused"},
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			obj := sample(t, name)
			if err := apiserver.Create(ctx, obj); err != nil {
				t.Fatal(err)
			}
			spec := obj.DeepCopy().Object["spec"]
			obj.Object["status"] = tc.status
			set(int64(3), "spec", "replicas").apply(t, obj)
			if err := apiserver.Status().Update(ctx, obj); err != nil {
				t.Fatal(err)
			}
			have := &unstructured.Unstructured{}
			have.SetGroupVersionKind(obj.GroupVersionKind())
			if err := apiserver.Get(ctx, client.ObjectKeyFromObject(obj), have); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.status, have.Object["status"]); diff != "" {
				t.Errorf("status (-want +have):\n%s", diff)
			}
			if diff := cmp.Diff(spec, have.Object["spec"]); diff != "" {
				t.Errorf("spec changed through the status subresource (-want +have):\n%s", diff)
			}
		})
	}
}

func TestScale(t *testing.T) {
	for _, name := range []string{"vmreplicaset", "component"} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			obj := sample(t, name)
			if err := apiserver.Create(ctx, obj); err != nil {
				t.Fatal(err)
			}
			obj.Object["status"] = values{"replicas": int64(2), "readyReplicas": int64(2), "updatedReplicas": int64(2),
				"availableReplicas":       int64(2),
				"expectedUpdatedReplicas": int64(2), "selector": "app=a"}
			if err := apiserver.Status().Update(ctx, obj); err != nil {
				t.Fatal(err)
			}
			scale := &unstructured.Unstructured{
				Object: values{"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": values{"replicas": int64(7)}},
			}
			if err := apiserver.SubResource("scale").Update(ctx, obj, client.WithSubResourceBody(scale)); err != nil {
				t.Fatal(err)
			}
			have := &unstructured.Unstructured{Object: values{"apiVersion": "autoscaling/v1", "kind": "Scale"}}
			if err := apiserver.SubResource("scale").Get(ctx, obj, have); err != nil {
				t.Fatal(err)
			}
			want := values{"spec": values{"replicas": int64(7)}, "status": values{"replicas": int64(2), "selector": "app=a"}}
			if diff := cmp.Diff(want, values{"spec": have.Object["spec"], "status": have.Object["status"]}); diff != "" {
				t.Errorf("scale (-want +have):\n%s", diff)
			}
		})
	}
}
