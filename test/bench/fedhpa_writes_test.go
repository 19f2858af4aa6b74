package bench

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

var writesMembers = flag.Int("writes-members", 20, "TestFedHPAWrites: over how many members of a real federation")

// writesApart lie between the changes of two members when all change, one after the other.
const writesApart = 3 * time.Second

// TestFedHPAWrites counts on real Karmada what it costs, in the control plane and in members where nothing happens, that members scale:
// once one of them, then all of them, one after the other.
func TestFedHPAWrites(t *testing.T) {
	Only(t)
	options := lab.DefaultOptions()
	options.Nodes, options.Kruise, options.Progress = nil, false, os.Stderr
	for range *writesMembers {
		options.Nodes = append(options.Nodes, 1)
	}
	w := newWritesBench(t, lab.Start(t, options))
	w.takeOver()
	w.rest(time.Minute)

	fmt.Fprintf(os.Stdout, "\n### FedHPA on real Karmada: writes, over %d members\n\n%s\n\n", *writesMembers, machine())
	fmt.Fprintf(os.Stdout,
		"| what happens | writes in the control plane | of these by kind | writes of the Deployment in each other member |\n|---|---|---|---|\n")
	w.row("nothing, for 45 s", w.count(func() { w.rest(45 * time.Second) }))
	w.row("one replica more in one member, 45 s", w.count(func() {
		w.load(0, 3)
		w.rest(45 * time.Second)
	}))
	every := time.Duration(*writesMembers) * writesApart
	w.row(fmt.Sprintf("one replica more in each, one after the other, in %s", every+30*time.Second), w.count(func() {
		for i := range w.members {
			w.load(i, 4)
			w.rest(writesApart)
		}
		w.rest(30 * time.Second)
	}))
	var fed api.FedHPA
	if err := w.karmada.Get(t.Context(), client.ObjectKey{Namespace: "writes", Name: "web"}, &fed); err != nil {
		t.Fatal(err)
	}
	if !meta.IsStatusConditionTrue(fed.Status.Conditions, api.FedHPABooksAgree) {
		t.Errorf("the books do not agree in the end: %+v", fed.Status.Conditions)
	}
	fmt.Fprint(os.Stdout,
		"\nCounted by the API servers (apiserver_request_total), leases and events left out. Real: all of Karmada, members' HPAs and Argosy.\n")
}

// writesBench are the API servers whose writes are counted.
type writesBench struct {
	t       *testing.T
	karmada client.Client
	plane   *rest.Config
	members []client.Client
	configs []*rest.Config
	loads   []context.CancelFunc
}

func newWritesBench(t *testing.T, federation *lab.Lab) *writesBench {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &writesBench{t: t}
	var err error
	if w.plane, err = federation.Karmada(); err == nil {
		w.karmada, err = client.New(w.plane, client.Options{Scheme: scheme})
	}
	for _, name := range federation.Members {
		if err != nil {
			break
		}
		var config *rest.Config
		if config, err = federation.Config(name); err != nil {
			break
		}
		var member client.Client
		member, err = client.New(config, client.Options{})
		w.members, w.configs = append(w.members, member), append(w.configs, config)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.loads = make([]context.CancelFunc, len(w.members))
	return w
}

// takeOver runs a workload of two replicas in each member, each at its target, under a FedHPA.
func (w *writesBench) takeOver() {
	w.t.Helper()
	manifests := strings.NewReplacer("$ALL", fmt.Sprint(2*len(w.members)), "$MOST", fmt.Sprint(10*len(w.members))).Replace(writesApp)
	if err := demo.Apply(w.t.Context(), w.karmada, manifests); err != nil {
		w.t.Fatal(err)
	}
	for i := range w.members {
		w.load(i, 2)
	}
	now := clock.RealClock{}
	for start := now.Now(); ; w.rest(time.Second) {
		var fed api.FedHPA
		err := w.karmada.Get(w.t.Context(), client.ObjectKey{Namespace: "writes", Name: "web"}, &fed)
		if err == nil && fed.Status.Phase == api.FedHPAActive && meta.IsStatusConditionTrue(fed.Status.Conditions, api.FedHPABooksAgree) {
			return
		}
		if now.Since(start) > 10*time.Minute {
			w.t.Fatalf("no member scales after ten minutes: %v %+v", err, fed.Status.Conditions)
		}
	}
}

// load makes a member's autoscaler want so many replicas.
func (w *writesBench) load(member int, replicas int) {
	if stop := w.loads[member]; stop != nil {
		stop()
	}
	ctx, stop := context.WithCancel(w.t.Context())
	w.loads[member] = stop
	go demo.Load{Member: w.members[member], Namespace: "writes", Labels: map[string]string{"app": "web"}}.Run(ctx, 50*replicas)
}

func (w *writesBench) rest(d time.Duration) {
	select {
	case <-clock.RealClock{}.After(d):
	case <-w.t.Context().Done():
	}
}

// written is what was counted.
type written struct {
	plane  float64
	byKind map[string]float64
	// others are writes of the Deployment in all members but the first.
	others float64
}

func (w *writesBench) count(do func()) written {
	w.t.Helper()
	plane, others := w.written()
	do()
	after, then := w.written()
	out := written{byKind: map[string]float64{}, others: then - others}
	for kind, n := range after {
		if more := n - plane[kind]; more > 0 {
			out.byKind[kind] = more
			out.plane += more
		}
	}
	return out
}

// written reads the counters: of the control plane by resource, of the Deployment in all members but the first together.
func (w *writesBench) written() (plane map[string]float64, others float64) {
	w.t.Helper()
	figures, err := scrape(w.t.Context(), w.plane)
	if err != nil {
		w.t.Fatal(err)
	}
	plane = map[string]float64{}
	for _, one := range figures["apiserver_request_total"] {
		if isWrite(one.labels) && one.labels["resource"] != "leases" && one.labels["resource"] != "events" {
			plane[strings.TrimSuffix(one.labels["resource"]+"/"+one.labels["subresource"], "/")] += one.value
		}
	}
	for _, config := range w.configs[1:] {
		figures, err := scrape(w.t.Context(), config)
		if err != nil {
			w.t.Fatal(err)
		}
		others += figures.sum("apiserver_request_total", func(labels map[string]string) bool {
			return isWrite(labels) && labels["resource"] == "deployments" && labels["subresource"] == ""
		})
	}
	return plane, others
}

func isWrite(labels map[string]string) bool {
	switch labels["verb"] {
	case "POST", "PUT", "PATCH", "APPLY", "DELETE":
		return true
	}
	return false
}

func (w *writesBench) row(what string, n written) {
	var kinds []string
	byCount := func(a, b string) int { return cmp.Or(cmp.Compare(n.byKind[b], n.byKind[a]), cmp.Compare(a, b)) }
	for _, kind := range slices.SortedFunc(maps.Keys(n.byKind), byCount) {
		kinds = append(kinds, fmt.Sprintf("%s %.0f", kind, n.byKind[kind]))
	}
	others := "-"
	if len(w.members) > 1 {
		others = fmt.Sprintf("%.1f", n.others/float64(len(w.members)-1))
	}
	fmt.Fprintf(os.Stdout, "| %s | %.0f | %s | %s |\n", what, n.plane, strings.Join(kinds, ", "), others)
}

const writesApp = `
apiVersion: v1
kind: Namespace
metadata: {name: writes}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: writes, name: web}
spec:
  replicas: $ALL
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {kwok.x-k8s.io/usage-cpu: 1m, kwok.x-k8s.io/usage-memory: 50Mi}
    spec:
      containers:
      - name: web
        image: registry.example/web:v1
        resources: {requests: {cpu: 100m, memory: 16Mi}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: writes, name: web}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: web}
  placement:
    clusterAffinity: {}
    replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Weighted}
---
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: FedHPA
metadata: {namespace: writes, name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: $ALL
  maxReplicas: $MOST
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
`
