package bench

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/release/hold"
	"github.com/argosy-dev/argosy/test/interpreterlab"
)

// staged is a CloneSet with the marks of a release: revision, and the clusters it is open for. The text makes it as large as it is to be.
func staged(t testing.TB, revision, open, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile("testdata/cloneset.json")
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	out.SetLabels(map[string]string{v1alpha1.LabelStaged: "web"})
	out.SetAnnotations(map[string]string{
		v1alpha1.AnnotationRevision: revision, v1alpha1.AnnotationStable: "r1", v1alpha1.AnnotationOpen: open, "own": revision,
		"resourcetemplate.karmada.io/generation": "2", "text": text,
	})
	unstructured.RemoveNestedField(out.Object, "spec", "updateStrategy", "partition")
	return out
}

// TestReleaseDecision measures what argosy-dispatch decides of a Work, without reading, network and JSON.
func TestReleaseDecision(t *testing.T) {
	Only(t)
	share := int64(1)
	table := Table{Title: "Release: the decision about a Work", Peer: "-"}
	for _, size := range []int{0, 900_000} {
		text := strings.Repeat("x", size)
		now, was := staged(t, "r2", "member1", text), staged(t, "r1", "*", text)
		record := hold.Recording{Object: hold.Record(was), Generation: "1"}
		holds := staged(t, "r2", "*", text)
		marks := holds.GetAnnotations()
		marks[v1alpha1.AnnotationOverrides] = string(v1alpha1.OverridesHold)
		holds.SetAnnotations(marks)
		for _, of := range []struct {
			what string
			work hold.Work
			want hold.Want
			with hold.Recording
		}{
			{"held, with what it has", hold.Work{Cluster: "member2", New: now, Old: was}, hold.Want{Revision: "r1", From: hold.Old},
				hold.Recording{}},
			{"held, from the history", hold.Work{Cluster: "member2", New: now}, hold.Want{Revision: "r1", From: hold.Recorded}, record},
			{"open by number", hold.Work{Cluster: "member1", New: now, Old: was},
				hold.Want{Revision: "r2", From: hold.New, Share: &share}, hold.Recording{}},
			{"overrides held", hold.Work{Cluster: "member1", New: holds, Old: was}, hold.Want{Revision: "r2", From: hold.New}, record},
		} {
			result := testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := hold.Choose(of.work); err != nil {
						b.Fatal(err)
					}
					if _, err := hold.Compose(of.work, of.want, of.with); err != nil {
						b.Fatal(err)
					}
				}
			})
			table.Rows = append(table.Rows, Row{
				What: fmt.Sprintf("%s, %d kB", of.what, size/1000),
				Ours: fmt.Sprintf("%.1f µs, %d allocs", float64(result.NsPerOp())/1000, result.AllocsPerOp()),
			})
		}
	}
	table.Print(os.Stdout)
}

// releaseApplications of TestReleaseDispatch, each in releaseClusters: as many Works as the design names.
var releaseApplications = flag.Int("release-applications", 1000, "TestReleaseDispatch: how many applications, in three clusters each")

const releaseClusters = 3

// TestReleaseDispatch measures what holding adds to the write of a Work, from one that no release is about: the real API server, with its
// policies, and the real argosy-webhook. Eight clients write at a time, as karmada-controller-manager does.
func TestReleaseDispatch(t *testing.T) {
	Only(t)
	plane, err := interpreterlab.NewPlane(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Close()
	server := plane.StartWebhook(t)
	objects, err := install.Registrations("https://"+server.Address, server.Authority.PEM)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, workv1alpha1.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	config := rest.CopyConfig(plane.Config)
	config.QPS = -1 // the client's own limit is not what is measured
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if name := object.GetName(); strings.HasPrefix(name, "argosy-dispatch") || strings.HasPrefix(name, "argosy-release-works") {
			if err := admin.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
	}
	table := Table{
		Title: fmt.Sprintf("Release: the write of a Work, %d applications in %d clusters", *releaseApplications, releaseClusters),
		Peer:  "no release",
		Notes: []string{"Each Work is written once with the first revision and once with the second; the second is measured. " +
			"Eight clients at a time."},
	}
	plain := writeWorks(t, admin, "plain", "", "")
	for _, of := range []struct{ what, name, open string }{
		{"held in every cluster", "held", ""}, {"complete, open everywhere", "complete", "*"},
	} {
		ours := writeWorks(t, admin, of.name, "r2", of.open)
		table.Rows = append(table.Rows, Row{
			What: of.what + ", p50 / p99", Ours: pair(ours), Peer: pair(plain), Ratio: float64(plain.At(.99)) / float64(ours.At(.99)),
		})
	}
	table.Print(os.Stdout)
}

// writeWorks of every application, and again with the second revision; how long each second write took. Of those named plain no release is
// about them.
func writeWorks(t *testing.T, admin client.Client, name, revision, open string) Latencies {
	t.Helper()
	render := func(revision, open string) []byte {
		object := staged(t, revision, open, "")
		if name == "plain" {
			object.SetLabels(nil)
			object.SetAnnotations(map[string]string{"own": revision})
		}
		raw, err := json.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first, second := render("r1", "*"), render(revision, open)
	type item struct{ cluster, app int }
	work := make(chan item)
	var group sync.WaitGroup
	var mu sync.Mutex
	var out Latencies
	for cluster := range releaseClusters {
		space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("karmada-es-member%d", cluster+1)}}
		if err := admin.Create(t.Context(), space); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	for range 8 {
		group.Go(func() {
			for of := range work {
				took, err := writeTwice(t.Context(), admin, fmt.Sprintf("karmada-es-member%d", of.cluster+1), fmt.Sprintf("%s-%d", name, of.app), first,
					second)
				if err != nil {
					t.Errorf("Work %s-%d: %v", name, of.app, err)
				}
				mu.Lock()
				out = append(out, took)
				mu.Unlock()
			}
		})
	}
	for app := range *releaseApplications {
		for cluster := range releaseClusters {
			work <- item{cluster, app}
		}
	}
	close(work)
	group.Wait()
	return out
}

// writeTwice a Work; the second is timed.
func writeTwice(ctx context.Context, admin client.Client, namespace, name string, first, second []byte) (time.Duration, error) {
	work := &workv1alpha1.Work{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	work.Spec.Workload.Manifests = []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: first}}}
	if err := admin.Create(ctx, work); err != nil {
		return 0, err
	}
	work.Spec.Workload.Manifests[0].Raw = second
	start := clock.RealClock{}.Now()
	err := admin.Update(ctx, work)
	return clock.RealClock{}.Since(start), err
}
