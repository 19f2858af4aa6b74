package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

// The load of TestFootprint: what a busy federation of one platform team does at once.
const (
	footprintApps  = 100
	footprintNodes = 40
	footprintFor   = 90 * time.Second
)

// TestFootprint measures the processor time and the memory of each of Argosy's programs, quiet and under load, in a real
// federation. deploy/chart/values.yaml takes its requests from the table.
func TestFootprint(t *testing.T) {
	Only(t)
	options := lab.DefaultOptions()
	options.Nodes, options.Metrics, options.Progress = []int{footprintNodes, footprintNodes}, false, os.Stderr
	federation := lab.Start(t, options)
	cfg, err := federation.Karmada()
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS = -1
	karmada, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	programs := []string{"argosy/webhook", "argosy/controller-manager", "argosy/estimator"}
	meters := map[string]*meter{}
	for _, name := range programs {
		meters[name] = &meter{url: federation.Endpoints[name+" metrics"]}
		if err := meters[name].rest(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pushes := pushWorkloads(t, karmada, meters)
	printFootprint(os.Stdout, programs, meters, pushes)
	printInstall(t, os.Stdout, federation)
}

func printFootprint(out io.Writer, programs []string, meters map[string]*meter, pushes int64) {
	fmt.Fprintf(out, "\n### What each program needs\n\n%s\n\n", machine())
	fmt.Fprintf(out,
		"| program | memory quiet | memory under load, most | processor under load, mean | most in 5 s |\n|---|---|---|---|---|\n")
	for _, name := range programs {
		m := meters[name]
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", strings.Replace(name, "/", "-", 1), mebibytes(m.quiet), mebibytes(m.most),
			millicores(m.mean()), millicores(m.peak))
	}
	fmt.Fprintf(out,
		"\n%d CloneSets, each with a policy and a CronHPA that fires every minute, in two members of %d nodes, are made; then in %s %d\n"+
			"new images are pushed, as fast as karmada-apiserver takes them from four callers. Read from each program's own process_* metrics.\n",
		footprintApps, footprintNodes, footprintFor, pushes)
}

// pushWorkloads makes the applications and then changes them without pause, and returns how many changes there were.
func pushWorkloads(t *testing.T, karmada client.Client, meters map[string]*meter) int64 {
	t.Helper()
	var all strings.Builder
	all.WriteString("apiVersion: v1\nkind: Namespace\nmetadata: {name: load}\n")
	for i := range footprintApps {
		all.WriteString(strings.ReplaceAll(footprintApp, "NAME", fmt.Sprintf("app-%d", i)))
	}
	now := clock.RealClock{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var measuring, pushing sync.WaitGroup
	for _, m := range meters {
		measuring.Go(func() { m.follow(ctx, now) })
	}
	if err := demo.Apply(t.Context(), karmada, all.String()); err != nil {
		t.Fatal(err)
	}
	begin := now.Now()
	counts := make([]int64, 4)
	for k := range counts {
		pushing.Go(func() {
			for i := k; now.Since(begin) < footprintFor; i += len(counts) {
				app := &unstructured.Unstructured{}
				app.SetAPIVersion("apps.kruise.io/v1alpha1")
				app.SetKind("CloneSet")
				app.SetNamespace("load")
				app.SetName(fmt.Sprintf("app-%d", i%footprintApps))
				patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[`+
					`{"name":"web","image":"registry.example/web:v%d","resources":{"requests":{"cpu":"100m"}}}]}}}}`, i)
				if err := karmada.Patch(t.Context(), app, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
					t.Errorf("pushing: %v", err)
					return
				}
				counts[k]++
			}
		})
	}
	pushing.Wait()
	cancel()
	measuring.Wait()
	var sum int64
	for _, n := range counts {
		sum += n
	}
	if sum < footprintApps {
		t.Errorf("only %d changes were taken: this machine was too busy for a load worth measuring", sum)
	}
	return sum
}

const footprintApp = `
---
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {namespace: load, name: NAME, labels: {app: NAME}}
spec:
  replicas: 4
  updateStrategy: {type: InPlaceIfPossible, maxUnavailable: 50%}
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers: [{name: web, image: "registry.example/web:v0", resources: {requests: {cpu: 100m}}}]
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: load, name: NAME}
spec:
  resourceSelectors: [{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: NAME}]
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
---
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: CronHPA
metadata: {namespace: load, name: NAME}
spec:
  scaleTargetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: NAME}
  rules:
  - {name: even, schedule: "*/2 * * * *", targetReplicas: 6}
  - {name: odd, schedule: "1-59/2 * * * *", targetReplicas: 4}
`

// meter reads a program's own metrics of its process.
type meter struct {
	url string
	// quiet is the resident memory before the load, most the greatest seen; in bytes.
	quiet, most float64
	// begun and used are processor seconds: at the load's begin and in all of it, which took over.
	begun, used float64
	over        time.Duration
	// peak is the most of one interval, in processors.
	peak float64
}

const meterEvery = 5 * time.Second

func (m *meter) rest(ctx context.Context) error {
	var err error
	m.quiet, m.begun, err = m.read(ctx)
	m.most = m.quiet
	return err
}

func (m *meter) follow(ctx context.Context, now clock.Clock) {
	start, last, before := now.Now(), now.Now(), m.begun
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-now.After(meterEvery):
		}
		memory, processor, err := m.read(context.WithoutCancel(ctx))
		if err != nil {
			// A program that died shows as a load that ended; the workloads tell.
			return
		}
		at := now.Now()
		m.most, m.used, m.over = max(m.most, memory), processor-m.begun, at.Sub(start)
		if span := at.Sub(last); span > meterEvery/2 {
			m.peak = max(m.peak, (processor-before)/span.Seconds())
		}
		last, before = at, processor
	}
}

func (m *meter) mean() float64 { return m.used / m.over.Seconds() }

// read returns resident bytes and processor seconds.
func (m *meter) read(ctx context.Context) (memory, processor float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url, nil)
	if err != nil {
		return 0, 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "process_resident_memory_bytes":
			memory, err = strconv.ParseFloat(value, 64)
		case "process_cpu_seconds_total":
			processor, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if memory == 0 {
		return 0, 0, fmt.Errorf("%s tells nothing of its process", m.url)
	}
	return memory, processor, nil
}

func mebibytes(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }

func millicores(processors float64) string { return fmt.Sprintf("%.0fm", math.Ceil(processors*1000)) }
