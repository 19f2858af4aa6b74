package workload

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// The ways in which an application is used; each is its name, too.
const (
	Plain  = "plain"  // a Deployment, scaled by hand
	Push   = "push"   // a CloneSet that gets new images behind a partition
	Fed    = "fed"    // a Deployment under a FedHPA, with load that moves
	FedSet = "fedset" // a CloneSet under a FedHPA
	Cron   = "cron"   // a CloneSet that two rules of a CronHPA scale in turn, each minute
	Names  = "names"  // a CloneSet whose pods are ordered away by name
	Staged = "staged" // a CloneSet whose images go out by a Release, with people between its stages
)

// App is an application in the control plane.
type App struct {
	Name, APIVersion, Kind string
	Replicas               int64
	// More manifests belong to it.
	More string
}

// Apps are all of them.
func Apps() []App {
	const deployment, cloneset = "apps/v1 Deployment", "apps.kruise.io/v1alpha1 CloneSet"
	app := func(name, kind string, replicas int64, more string) App {
		apiVersion, kind, _ := strings.Cut(kind, " ")
		return App{Name: name, APIVersion: apiVersion, Kind: kind, Replicas: replicas, More: more}
	}
	return []App{
		app(Plain, deployment, 6, ""),
		app(Push, cloneset, 6, ""),
		app(Fed, deployment, 6, fedHPA(Fed, "apps/v1", "Deployment")),
		app(FedSet, cloneset, 6, fedHPA(FedSet, "apps.kruise.io/v1alpha1", "CloneSet")),
		app(Cron, cloneset, 6, cronHPA),
		app(Names, cloneset, 9, ""),
		app(Staged, cloneset, 6, stages),
	}
}

// FedHPA's limits, and what an application of it begins with.
const (
	FedLeast, FedMost = 6, 18
	// MillicoresPerReplica is how much load one replica is for: half of the 100 m it asks for.
	MillicoresPerReplica = 50
)

func fedHPA(name, apiVersion, kind string) string {
	return fmt.Sprintf(`
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: FedHPA
metadata: {namespace: $NS, name: %[1]s}
spec:
  scaleTargetRef: {apiVersion: %[2]s, kind: %[3]s, name: %[1]s}
  minReplicas: %[4]d
  maxReplicas: %[5]d
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 5}}
`, name, apiVersion, kind, FedLeast, FedMost)
}

const cronHPA = `
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: CronHPA
metadata: {namespace: $NS, name: cron}
spec:
  scaleTargetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: cron}
  successfulHistoryLimit: 20
  failedHistoryLimit: 20
  rules:
  - {name: even, schedule: "*/2 * * * *", targetReplicas: 9}
  - {name: odd, schedule: "1-59/2 * * * *", targetReplicas: 6}
`

// By number: an application that a nemesis moved to other clusters is released in stages all the same.
const stages = `
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {namespace: $NS, name: staged}
spec:
  targetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: staged}
  stages:
  - {name: one, updated: 1, gates: {approvals: 1}}
  - {name: half, updated: 50%, gates: {soakSeconds: 2, approvals: 1}}
  - {name: all}
`

// Object is the template's kind, namespace and name.
func (a App) Object(namespace string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(a.APIVersion)
	u.SetKind(a.Kind)
	u.SetNamespace(namespace)
	u.SetName(a.Name)
	return u
}

// Key of the template.
func (a App) Key(namespace string) history.Key {
	return history.Key{Plane: history.ControlPlane, Resource: history.ResourceOf(a.APIVersion, a.Kind), Namespace: namespace, Name: a.Name}
}

// Manifests of the application and its policy; $NS is the namespace.
func (a App) Manifests() string {
	strategy := ""
	if a.Kind == "CloneSet" {
		// A pod that is updated in place waits for a kubelet to restart its container, and there is none.
		strategy = "updateStrategy: {type: ReCreate, maxUnavailable: 1}"
	}
	return fmt.Sprintf(`
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: %[1]s}
spec:
  resourceSelectors:
  - {apiVersion: %[2]s, kind: %[3]s, name: %[1]s}
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
---
apiVersion: %[2]s
kind: %[3]s
metadata: {namespace: $NS, name: %[1]s}
spec:
  replicas: %[4]d
  %[5]s
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata:
      labels: {app: %[1]s}
      annotations: {kwok.x-k8s.io/usage-cpu: 1m, kwok.x-k8s.io/usage-memory: 50Mi}
    spec:
      containers:
      - name: main
        image: registry.example/app:v1
        resources: {requests: {cpu: 100m, memory: 16Mi}}
---%[6]s`, a.Name, a.APIVersion, a.Kind, a.Replicas, strategy, a.More)
}
