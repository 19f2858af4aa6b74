package migration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

// argosyctl as CI/CD runs it; the exit status is an answer too. It is run again when a webhook, or an API server, did not answer.
func (s *story) argosyctl(args ...string) (said string, code int) {
	s.Helper()
	_, _ = machine.Answered(s.Context(), func(context.Context) (string, error) { // it waits for as long as it is told to
		command := exec.CommandContext(s.Context(), filepath.Join(world.lab.Root, "bin", "argosyctl"), args...)
		command.Env = append(os.Environ(), "KUBECONFIG="+world.lab.Kubeconfigs["karmada"])
		out, err := command.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.Fatalf("argosyctl %s: %v", strings.Join(args, " "), err)
		}
		said, code = string(out), command.ProcessState.ExitCode()
		if code != 0 && noAnswer(said) {
			s.Logf("argosyctl %s: once more, since it had no answer:\n%s", strings.Join(args, " "), said)
			return said, err
		}
		return said, nil
	})
	return said, code
}

// folder of an application's files, as CI/CD keeps them.
func folder(t *testing.T, app static.App) string {
	t.Helper()
	dir := t.TempDir()
	for _, member := range app.Members() {
		at := filepath.Join(dir, "clusters", member)
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, object := range app.Objects(member) {
			if object.GetKind() == "Namespace" {
				continue
			}
			raw, err := yaml.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(at, strings.ToLower(object.GetKind())+".yaml"), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// One pipeline, one command: it releases to the members while the application is static, starts its take-over, goes on through the
// control plane, and after a rollback to the members again, though the whitelist lists it still. Each time every member gets its own,
// and what people wrote beside the pipeline stays: a pod template that loses its restartedAt would restart the pods.
func TestPublishBothWays(t *testing.T) {
	t.Parallel()
	app := static.App{
		Namespace: "pipeline", Name: "web", Kind: "Deployment", Image: "web:1",
		Replicas: map[string]int64{"member1": 2, "member2": 1},
	}
	s := newStory(t, app)
	s.is(app, "Static", 1)
	s.rolloutRestart(app)
	s.listOnRelease(app)
	state := func() string { return describe(s.migration(app)) }
	s.Eventually(state, machine.Patience, look).Should(ContainSubstring(v1alpha1.ReasonTriggerPending))

	s.release(&app, "web:2", "published; managed: Static")
	s.reach(app, v1alpha1.PhaseFederated)
	s.is(app, "Federated", 0)
	s.images(app)

	next := app
	next.Image = "web:3"
	if out, code := s.argosyctl("publish", "-n", app.Namespace, "-f", folder(t, next), "--dry-run"); code != 1 || !strings.Contains(out,
		`+ spec.template.spec.containers[0].image: "web:3"`) {
		t.Errorf("the dry run ended with %d:\n%s", code, out)
	}
	s.release(&app, "web:3", "published; managed: Federated")
	s.images(app)
	s.stillRestarted(app)
	if out, code := s.argosyctl("publish", "-n", app.Namespace, "-f", folder(t, app), "--dry-run"); code != 0 {
		t.Errorf("the dry run of what is there ended with %d:\n%s", code, out)
	}

	s.prunes(app, "control plane: configmap/extra left the folder and is being deleted there, and with it from member1, member2")

	if out, code := s.argosyctl("migration", "rollback", "-n", app.Namespace, "deployment/web"); code != 0 || !strings.Contains(out,
		"is rolled back, whatever whitelists say") {
		t.Fatalf("rollback ended with %d: %s", code, out)
	}
	s.reach(app, v1alpha1.PhaseCutOff)
	s.is(app, "Static", 1)
	s.release(&app, "web:4", "published; managed: Static")
	s.images(app)
	s.stillRestarted(app)
	s.prunes(app, "member1: configmap/extra left the folder and was deleted")

	// Its policies are in the control plane still, and argosyctl policy says whose they are; another's are named.
	out, code := s.argosyctl("policy", "-n", app.Namespace, "-f", folder(t, app))
	if code != 0 || !strings.Contains(out, "name: deployment-web") {
		t.Errorf("policy ended with %d: %s", code, out)
	}
}

// prunes has a release bring an object and the next no longer have it: that is told of, and deleted in every member once it is asked for.
func (s *story) prunes(app static.App, said string) {
	s.Helper()
	dir := folder(s.T, app)
	extra := filepath.Join(dir, "extra.yaml")
	if err := os.WriteFile(extra, []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}, data: {x: z}}"), 0o600); err != nil {
		s.Fatal(err)
	}
	publish := func(want string, args ...string) {
		s.Helper()
		out, _ := s.argosyctl(append([]string{"publish", "-n", app.Namespace, "-f", dir}, args...)...)
		if !strings.Contains(out, want) {
			s.Fatalf("publish %s says, and %q is wanted:\n%s", strings.Join(args, " "), want, out)
		}
	}
	there := func() int {
		found := 0
		for _, member := range app.Members() {
			config := named(app, "v1", "ConfigMap")
			config.SetName("extra")
			if err := world.members[member].Get(s.Context(), client.ObjectKeyFromObject(config), config); err == nil {
				found++
			}
		}
		return found
	}
	publish("published; managed")
	s.Eventually(there, machine.Patience, look).Should(Equal(2))
	if err := os.Remove(extra); err != nil {
		s.Fatal(err)
	}
	publish("configmap/extra left the folder and stays: --prune deletes it")
	publish("configmap/extra left the folder and would be deleted", "--prune", "--dry-run")
	if n := there(); n != 2 {
		s.Errorf("%d members have what nobody asked to delete, want 2", n)
	}
	publish(said, "--prune")
	s.Eventually(there, machine.Patience, look).Should(BeZero())
	s.Eventually(func() string {
		template := named(app, "v1", "ConfigMap")
		template.SetName("extra")
		policy := named(app, "policy.karmada.io/v1alpha1", "PropagationPolicy")
		policy.SetName("configmap-extra")
		for _, object := range []*unstructured.Unstructured{template, policy} {
			if err := world.karmada.Get(s.Context(), client.ObjectKeyFromObject(object), object); client.IgnoreNotFound(err) != nil || err == nil {
				return fmt.Sprintf("%s %s is in the control plane: %v", object.GetKind(), object.GetName(), err)
			}
		}
		return s.migration(app).Status.Blocked
	}, machine.Patience, look).Should(BeEmpty())
	s.images(app)
}

// restartedAt is an annotation that the folder has not: somebody beside the pipeline put it on the pod template.
const restartedAt = "injector/status"

// rolloutRestart in every member, as somebody did it long ago.
func (s *story) rolloutRestart(app static.App) {
	s.Helper()
	patch := []byte(`{"spec":{"template":{"metadata":{"annotations":{"` + restartedAt + `":"2026-01-01T00:00:00Z"}}}}}`)
	for _, member := range app.Members() {
		workload := &unstructured.Unstructured{}
		workload.SetAPIVersion(app.APIVersion())
		workload.SetKind(app.Kind)
		workload.SetNamespace(app.Namespace)
		workload.SetName(app.Name)
		if err := world.members[member].Patch(s.Context(), workload, client.RawPatch(types.MergePatchType, patch),
			client.FieldOwner("kubectl-rollout")); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *story) stillRestarted(app static.App) {
	s.Helper()
	for _, member := range app.Members() {
		spec, _, err := app.Spec(s.Context(), world.members[member])
		if err != nil {
			s.Fatal(err)
		}
		if at, _, _ := unstructured.NestedString(spec, "template", "metadata", "annotations", restartedAt); at != "2026-01-01T00:00:00Z" {
			s.Errorf("%s lost %s: its pods restarted for nobody's change", member, restartedAt)
		}
	}
}

// listOnRelease puts the application on a whitelist that waits for its next release.
func (s *story) listOnRelease(app static.App) {
	s.Helper()
	s.list(0)
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) {
		entry := entryOf(app)
		entry.Trigger = v1alpha1.TriggerOnRelease
		spec.Entries = []v1alpha1.WhitelistEntry{entry}
	})
}

func (s *story) release(app *static.App, image, want string) {
	s.Helper()
	app.Image = image
	out, code := s.argosyctl("publish", "-n", app.Namespace, "-f", folder(s.T, *app))
	if code != 0 || !strings.Contains(out, want) {
		s.Fatalf("publishing %s ended with %d, want %q:\n%s", image, code, want, out)
	}
}

// images and configuration of every member, once its pods are there.
func (s *story) images(app static.App) {
	s.Helper()
	s.Eventually(func() string {
		if _, err := app.Pods(s.Context(), world.members); err != nil {
			return err.Error()
		}
		for _, member := range app.Members() {
			spec, _, err := app.Spec(s.Context(), world.members[member])
			if err != nil {
				return err.Error()
			}
			containers, _, _ := unstructured.NestedSlice(spec, "template", "spec", "containers")
			container := containers[0].(map[string]any)
			env := container["env"].([]any)[0].(map[string]any)
			if container["image"] != app.Image || env["value"] != member {
				return fmt.Sprintf("%s runs %v with %v", member, container["image"], env)
			}
		}
		return ""
	}, machine.Patience, look).Should(BeEmpty())
}

// is asks who manages the application, on the command line and over HTTP.
func (s *story) is(app static.App, management string, exit int) {
	s.Helper()
	s.Eventually(func(g Gomega) {
		out, code := s.argosyctl("is-karmada", "-n", app.Namespace, "deployment/"+app.Name)
		g.Expect(code).To(Equal(exit), out)
		g.Expect(out).To(ContainSubstring(`"management":"` + management + `"`))
		// The controller answers from what it has heard of its own writing.
		g.Expect(s.answer(app)).To(Equal(answer{IsKarmada: management == "Federated", Management: management}))
	}, machine.Patience, look).Should(Succeed())
}

// A freeze window holds the opening back, Prometheus that says the application is not well does so too, and when it
// says so during the soak the application is rolled back.
func TestGates(t *testing.T) {
	t.Parallel()
	app := static.App{
		Namespace: "gates", Name: "gates", Kind: "Deployment", Image: "gates:1",
		Replicas: map[string]int64{"member1": 1, "member2": 1},
	}
	s := newStory(t, app)
	var unwell, silent atomic.Bool
	var asked atomic.Value
	prometheus := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		asked.Store(in.FormValue("query"))
		result := `[{"metric":{"job":"gates"},"value":[1772445600,"0"]}]`
		if silent.Load() {
			result = "[]"
		}
		if unwell.Load() {
			result = `[{"metric":{"job":"gates"},"value":[1772445600,"0.25"]}]`
		}
		fmt.Fprintf(out, `{"status":"success","data":{"resultType":"vector","result":%s}}`, result)
	}))
	t.Cleanup(prometheus.Close)
	unwell.Store(true)
	s.list(0)
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) {
		start, end := metav1.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), metav1.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)
		spec.Strategy.FreezeWindows = []gatev1alpha1.FreezeWindow{{Name: "sale", Start: &start, End: &end}}
		spec.Strategy.SoakSeconds = ptr.To[int32](endless)
		spec.Strategy.Health.Prometheus = &gatev1alpha1.PrometheusGate{
			Address: prometheus.URL, Query: `errors{namespace="$namespace",app="$name"} > bool 0`,
		}
		spec.Entries = []v1alpha1.WhitelistEntry{entryOf(app)}
	})
	waitsFor := func(what string) {
		s.Helper()
		s.Eventually(func() string { return describe(s.migration(app)) }, machine.Patience, look).Should(ContainSubstring(what))
		if management := s.migration(app).Status.Management; management != v1alpha1.ManagementStatic {
			s.Errorf("managed: %s while it waits", management)
		}
	}
	waitsFor("freeze window sale is open until")
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Strategy.FreezeWindows = nil })
	waitsFor("Prometheus says 0.25")
	if want := `errors{namespace="gates",app="gates"} > bool 0`; asked.Load() != want {
		t.Errorf("asked %q, want %q", asked.Load(), want)
	}
	silent.Store(true)
	unwell.Store(false)
	waitsFor("Prometheus has no sample")
	silent.Store(false)
	s.reach(app, v1alpha1.PhaseSoaking)
	unwell.Store(true)
	migration := s.reach(app, v1alpha1.PhaseCutOff)
	if migration.Status.Failure == nil || migration.Status.Failure.Reason != v1alpha1.ReasonUnhealthy {
		t.Errorf("failure is %+v, want %s", migration.Status.Failure, v1alpha1.ReasonUnhealthy)
	}
	s.unchanged()
}
