package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/customized/webhook"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/customized/webhook/request"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/default/thirdparty"
	"github.com/karmada-io/karmada/pkg/util/fedinformer/genericmanager"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"github.com/argosy-dev/argosy/test/interpreterlab"
)

// call is one question, asked our way and the Lua way. Both get an object of their own: they change it.
type call struct {
	name string
	ours func() error
	lua  func() error
}

// TestInterpreterRoundTrip measures the whole way of a question: Karmada's own webhook client, HTTPS on loopback, the
// real argosy-webhook in a process of its own, and back; beside Karmada's Lua interpreter in process.
func TestInterpreterRoundTrip(t *testing.T) {
	Only(t)
	plane, err := interpreterlab.NewPlane(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Close()
	server := plane.StartWebhook(t)
	calls := questions(t, karmadaClient(t, plane, server), plane)
	table := Table{
		Title: "Interpreter: the whole round trip",
		Peer:  "Karmada's Lua, in process",
		Notes: []string{
			"Ours: Karmada's own webhook client -> HTTPS on loopback -> argosy-webhook in its own process -> back; client and server share the " +
				"machine's cores. " +
				"A CloneSet with two containers, a sidecar and volumes; Retain has no Lua to compare with: Karmada's bundled interpreter has none " +
				"for CloneSet.",
		},
	}
	for _, c := range calls {
		ours := oneByOne(t, c.ours)
		row := Row{What: c.name + ", one by one, p50 / p99", Ours: pair(ours), Peer: "-"}
		if c.lua != nil {
			lua := oneByOne(t, c.lua)
			row.Peer, row.Ratio = pair(lua), float64(lua.At(.5))/float64(ours.At(.5))
		}
		table.Rows = append(table.Rows, row)
	}
	mixed := mix(calls)
	asker, answerer := perQuestion(t, mixed.ours, server.PID())
	luaCPU, _ := perQuestion(t, mixed.lua, server.PID())
	table.Rows = append(table.Rows, Row{
		What: "processor time of a question, all operations in turn: Karmada's client + argosy-webhook",
		Ours: fmt.Sprintf("%s + %s", asker.Round(time.Microsecond), answerer.Round(time.Microsecond)),
		Peer: luaCPU.Round(time.Microsecond).String(), Ratio: float64(luaCPU) / float64(asker+answerer),
	})
	ours, failed := atRate(1000, mixed.ours)
	if failed > 0 {
		t.Errorf("%d of our answers failed at 1,000/s", failed)
	}
	lua, luaFailed := atRate(1000, mixed.lua)
	row := Row{
		What: "all operations in turn at 1,000/s, p50 / p99", Ours: pair(ours), Peer: pair(lua),
		Ratio: float64(lua.At(.99)) / float64(ours.At(.99)),
	}
	if luaFailed > 0 {
		row.Peer += fmt.Sprintf(", %d of %d failed", luaFailed, len(lua))
	}
	table.Rows = append(table.Rows, row)
	most, luaMost := highestRate(t, mixed.ours), highestRate(t, mixed.lua)
	table.Rows = append(table.Rows, Row{
		What: "highest rate held", Ours: fmt.Sprintf("%.0f/s", most), Peer: fmt.Sprintf("%.0f/s", luaMost), Ratio: most / luaMost,
	})
	table.Print(os.Stdout)
	if p99 := ours.At(.99); p99 > 2*time.Millisecond {
		t.Logf("p99 at 1,000/s is %s, aim 2ms", p99)
	}
}

// karmadaClient is Karmada's own client of interpreter webhooks, told of ours.
func karmadaClient(t *testing.T, plane *interpreterlab.Plane, w *interpreterlab.Webhook) *webhook.CustomizedInterpreter {
	t.Helper()
	dynamicClient, err := dynamic.NewForConfig(plane.Config)
	if err != nil {
		t.Fatal(err)
	}
	kubernetesClient, err := kubernetes.NewForConfig(plane.Config)
	if err != nil {
		t.Fatal(err)
	}
	services := informers.NewSharedInformerFactory(kubernetesClient, 0).Core().V1().Services().Lister()
	out, err := webhook.NewCustomizedInterpreter(genericmanager.NewSingleClusterInformerManager(t.Context(), dynamicClient, 0), services)
	if err != nil {
		t.Fatal(err)
	}
	out.LoadConfig([]*configv1alpha1.ResourceInterpreterWebhookConfiguration{w.Registration()})
	return out
}

// questions are the operations on one CloneSet.
func questions(t *testing.T, ours *webhook.CustomizedInterpreter, plane *interpreterlab.Plane) []call {
	t.Helper()
	lua := thirdparty.NewConfigurableInterpreter()
	template := workload(t)
	observed := template.DeepCopy()
	observed.SetAnnotations(map[string]string{
		"work.karmada.io/namespace": "karmada-es-member1", "resourcetemplate.karmada.io/generation": "3",
	})
	partitioned := template.DeepCopy()
	if err := unstructured.SetNestedField(partitioned.Object, int64(9), "spec", "updateStrategy", "partition"); err != nil {
		t.Fatal(err)
	}
	bind(t, plane, partitioned)
	items := statuses(t, template, 10)
	ctx := context.Background()
	ask := func(operation configv1alpha1.InterpreterOperation, object *unstructured.Unstructured) *request.Attributes {
		return &request.Attributes{Operation: operation, Object: object}
	}
	patch := func(attributes request.Attributes) func() error {
		object := attributes.Object
		return func() error {
			attributes := attributes
			attributes.Object = object.DeepCopy()
			_, _, err := ours.Patch(ctx, &attributes)
			return err
		}
	}
	revise := func(object *unstructured.Unstructured) request.Attributes {
		return request.Attributes{Operation: configv1alpha1.InterpreterOperationReviseReplica, Object: object, ReplicasSet: 4}
	}
	luaRevise := func() error { _, _, err := lua.ReviseReplica(template.DeepCopy(), 4); return err }
	return []call{
		{"InterpretReplica",
			func() error {
				_, _, _, err := ours.GetReplicas(ctx, ask(configv1alpha1.InterpreterOperationInterpretReplica, template))
				return err
			},
			func() error { _, _, _, err := lua.GetReplicas(template); return err }},
		{"ReviseReplica", patch(revise(template)), luaRevise},
		{"ReviseReplica of an integer partition (reads the binding live)", patch(revise(partitioned)), luaRevise},
		{"Retain", patch(request.Attributes{Operation: configv1alpha1.InterpreterOperationRetain, Object: template, ObservedObj: observed}), nil},
		{"AggregateStatus of ten members",
			patch(request.Attributes{Operation: configv1alpha1.InterpreterOperationAggregateStatus, Object: template, AggregatedStatus: items}),
			func() error { _, _, err := lua.AggregateStatus(template.DeepCopy(), items); return err }},
		{"InterpretStatus",
			func() error {
				_, _, err := ours.ReflectStatus(ctx, ask(configv1alpha1.InterpreterOperationInterpretStatus, observed))
				return err
			},
			func() error { _, _, err := lua.ReflectStatus(observed); return err }},
		{"InterpretHealth",
			func() error {
				_, _, err := ours.InterpretHealth(ctx, ask(configv1alpha1.InterpreterOperationInterpretHealth, observed))
				return err
			},
			func() error { _, _, err := lua.InterpretHealth(observed); return err }},
		{"InterpretDependency",
			func() error {
				_, _, err := ours.GetDependencies(ctx, ask(configv1alpha1.InterpreterOperationInterpretDependency, template))
				return err
			},
			func() error { _, _, err := lua.GetDependencies(template); return err }},
	}
}

// workload is a CloneSet as people write them.
func workload(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("testdata/cloneset.json")
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return out
}

// statuses are the workload's in so many members.
func statuses(t *testing.T, template *unstructured.Unstructured, members int) []workv1alpha2.AggregatedStatusItem {
	t.Helper()
	status := template.Object["status"].(map[string]any)
	status["generation"], status["resourceTemplateGeneration"] = int64(3), int64(3)
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var out []workv1alpha2.AggregatedStatusItem
	for i := range members {
		item := workv1alpha2.AggregatedStatusItem{ClusterName: fmt.Sprintf("member%02d", i), Applied: true, Health: workv1alpha2.ResourceHealthy}
		item.Status = &kruntime.RawExtension{Raw: raw}
		out = append(out, item)
	}
	return out
}

// bind gives the workload its namespace and its binding over three clusters.
func bind(t *testing.T, plane *interpreterlab.Plane, object *unstructured.Unstructured) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: object.GetNamespace()}}
	if err := plane.Client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	gvk := object.GroupVersionKind()
	binding := &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName() + "-cloneset"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{
				APIVersion: schema.GroupVersion{Group: gvk.Group, Version: gvk.Version}.String(), Kind: gvk.Kind, Namespace: object.GetNamespace(),
				Name: object.GetName(),
			},
			Clusters: []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 3}, {Name: "member3", Replicas: 3}},
			Placement: &policyv1alpha1.Placement{ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{
				ReplicaSchedulingType: policyv1alpha1.ReplicaSchedulingTypeDivided,
			}},
		},
	}
	if err := plane.Client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
}

// oneByOne asks 2,000 times after a warm-up, one after the other.
func oneByOne(t *testing.T, ask func() error) Latencies {
	t.Helper()
	var out Latencies
	for i := range 2200 {
		start := time.Now() //nolint:forbidigo // a measurement reads the real clock
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		if i >= 200 {
			out = append(out, time.Since(start))
		}
	}
	return out
}

// perQuestion is the processor time this process and the server spend on a question: a figure that holds on a busy
// machine too.
func perQuestion(t *testing.T, ask func() error, server int) (own, servers time.Duration) {
	t.Helper()
	const questions = 4000
	spent := func() time.Duration {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			t.Fatal(err)
		}
		return time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	ownBefore, serverBefore := spent(), processorTime(t, server)
	for range questions {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	return (spent() - ownBefore) / questions, (processorTime(t, server) - serverBefore) / questions
}

// processorTime is what a process has used, from /proc: fields 14 and 15, in hundredths of a second.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The second field is the name in parentheses, which may hold spaces.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}

// mix asks all operations in turn; Retain, which has no Lua, is left out on both sides.
func mix(calls []call) (out call) {
	var both []call
	for _, c := range calls {
		if c.lua != nil {
			both = append(both, c)
		}
	}
	var ours, lua atomic.Uint64
	return call{
		ours: func() error { return both[ours.Add(1)%uint64(len(both))].ours() },
		lua:  func() error { return both[lua.Add(1)%uint64(len(both))].lua() },
	}
}

// atRate starts so many calls a second for five seconds, whether earlier ones have ended or not: a call's latency
// counts from the moment it was due, so waiting is not hidden. Calls that fail are counted: Lua gives up after a second.
func atRate(perSecond int, ask func() error) (Latencies, int64) {
	const seconds = 5
	out := make(Latencies, perSecond*seconds)
	var calls sync.WaitGroup
	var failed atomic.Int64
	start := time.Now() //nolint:forbidigo // a measurement reads the real clock
	for i := range out {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		for time.Until(due) > 0 {
			time.Sleep(min(time.Until(due), 100*time.Microsecond)) //nolint:forbidigo // an open loop is driven by time
		}
		calls.Go(func() {
			if ask() != nil {
				failed.Add(1)
			}
			out[i] = time.Since(due)
		})
	}
	calls.Wait()
	return out, failed.Load()
}

// highestRate keeps four callers a core busy for five seconds.
func highestRate(t *testing.T, ask func() error) float64 {
	t.Helper()
	const lasting = 5 * time.Second
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var callers sync.WaitGroup
	start := time.Now() //nolint:forbidigo // a measurement reads the real clock
	for range 4 * runtime.NumCPU() {
		callers.Go(func() {
			for time.Since(start) < lasting {
				if err := ask(); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	callers.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
	return float64(done.Load()) / time.Since(start).Seconds()
}

func pair(l Latencies) string {
	return fmt.Sprintf("%s / %s", l.At(.5).Round(time.Microsecond), l.At(.99).Round(time.Microsecond))
}
