package migration

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/lab/process"
	"github.com/argosy-dev/argosy/test/static"
)

const (
	// pulled is the member that its own agent serves.
	pulled      = "member3"
	pulledAgent = pulled + "/agent"
)

// An application over a member in push mode and one in pull mode is taken over. While it is cut off, the agent of the second loses
// the control plane: it goes on undoing what is released there, so nobody is told to release statically before it is back and has
// said that it saw the suspension. Then the cluster is to go: refused, at once and with the remedy, until the application has left.
func TestPullMember(t *testing.T) {
	app := static.App{
		Namespace: "pulled", Name: "pulled", Kind: "Deployment", Image: "pulled:1", Replicas: map[string]int64{"member1": 2, pulled: 3},
	}
	s := newStory(t, app)
	s.list(0, app)
	s.reach(app, v1alpha1.PhaseFederated)
	s.unchanged()

	world.wire.cut()
	t.Cleanup(world.wire.heal)
	s.drop(app)
	s.Eventually(func() string { return describe(s.migration(app)) }, machine.Patience, look).
		Should(ContainSubstring("karmada-agent has not confirmed yet"))
	s.is(app, "Changing", 2)
	s.configure(app, "debug")
	s.Eventually(s.configured, machine.Patience, look).WithArguments(app).
		Should(Equal("info"), "the agent is away, and enforces what it last saw")
	s.is(app, "Changing", 2)
	if migration := s.migration(app); migration.Status.Phase != v1alpha1.PhaseCuttingOff {
		t.Errorf("the agent is away, and the application %s", describe(migration))
	}

	world.wire.heal()
	s.reach(app, v1alpha1.PhaseCutOff)
	s.is(app, "Static", 1)
	s.configure(app, "debug")
	s.Consistently(s.configured, 3*time.Second, look).WithArguments(app).Should(Equal("debug"))
	s.unchanged()

	s.kept(app)
	out, err := unregister(t.Context())
	if err == nil {
		t.Errorf("unregistered while an application is cut off there:\n%s", out)
	}
	s.remedyFor(out)
	cluster := &clusterv1alpha1.Cluster{}
	if err := world.karmada.Get(t.Context(), client.ObjectKey{Name: pulled}, cluster); err != nil || !cluster.DeletionTimestamp.IsZero() {
		t.Errorf("after a refusal the cluster is being deleted: %v, %v", cluster.DeletionTimestamp, err)
	}
	s.unchanged()

	s.leave(app)
	t.Cleanup(func() { register(t) })
	if out, err := unregister(t.Context()); err != nil {
		t.Fatalf("unregister once the application left: %v", out)
	}
	s.unchanged()
	if got := s.configured(app); got != "debug" {
		t.Errorf("the ConfigMap is at level %s, want debug as it was released", got)
	}
}

// notDeleted is what karmadactl says of a Work that the API server does not let go of.
var notDeleted = regexp.MustCompile(`failed to delete the work\(([^/]+)/([^)]+)\)`)

// remedyFor looks for what to do in what karmadactl said. That of Karmada 1.18 says of a refusal no more than which Work it is about: who
// asks for that one's deletion is told, by the guard in the API server, which comes before our webhook.
func (s *story) remedyFor(said string) {
	s.Helper()
	if found := notDeleted.FindStringSubmatch(said); found != nil {
		work := &workv1alpha1.Work{}
		work.Namespace, work.Name = found[1], found[2]
		if err := world.karmada.Delete(s.Context(), work, client.DryRunAll); err != nil {
			said = err.Error()
		}
	}
	if !strings.Contains(said, "argosyctl migration leave") {
		s.Errorf("the refusal does not name the remedy:\n%s", said)
	}
}

// configure releases another ConfigMap statically to the member in pull mode.
func (s *story) configure(app static.App, level string) {
	s.Helper()
	config := &corev1.ConfigMap{}
	config.Namespace, config.Name = app.Namespace, app.Name
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"data":{"level":"`+level+`"}}`))
	if err := world.members[pulled].Patch(s.Context(), config, patch); err != nil {
		s.Fatal(err)
	}
}

func (s *story) configured(app static.App) string {
	config := &corev1.ConfigMap{}
	if err := world.members[pulled].Get(s.Context(), client.ObjectKey{Namespace: app.Namespace, Name: app.Name}, config); err != nil {
		return err.Error()
	}
	return config.Data["level"]
}

// kept tries to delete binding and Work of what is cut off. Of the binding a webhook refuses that alone, which a machine that stands still
// may keep from answering, and which lets pass then: nothing is to come of it, and it is asked once more.
func (s *story) kept(app static.App) {
	s.Helper()
	binding := &workv1alpha2.ResourceBinding{}
	binding.Namespace, binding.Name = app.Namespace, names.GenerateBindingName(app.Kind, app.Name)
	work := &workv1alpha1.Work{}
	work.Namespace, work.Name = names.GenerateExecutionSpaceName(pulled), names.GenerateWorkName(app.Kind, app.Name, app.Namespace)
	config, err := world.lab.Karmada()
	if err != nil {
		s.Fatal(err)
	}
	inVain := func() map[string]float64 {
		s.Helper()
		times, err := machine.Answered(s.Context(), func(ctx context.Context) (map[string]float64, error) { return lab.AskedInVain(ctx, config) })
		if err != nil {
			s.Fatal(err)
		}
		return times
	}
	for _, object := range []client.Object{binding, work} {
		for tries := 1; ; tries++ {
			before := inVain()
			err := world.karmada.Delete(s.Context(), object, client.DryRunAll)
			if err != nil && strings.Contains(err.Error(), "argosyctl migration leave") {
				break
			}
			if err != nil || tries == machine.Tries || maps.Equal(before, inVain()) {
				s.Errorf("deletion of %T %s: %v, want a refusal that names the remedy", object, object.GetName(), err)
				break
			}
		}
	}
}

// leave for good.
func (s *story) leave(app static.App) {
	s.Helper()
	migration := s.migration(app)
	before := migration.DeepCopy()
	migration.Spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	if err := world.karmada.Patch(s.Context(), migration, client.MergeFrom(before)); err != nil {
		s.Fatal(err)
	}
	s.reach(app, v1alpha1.PhaseLeft)
}

// karmadactl is asked again when a webhook or etcd was too slow to be asked, which is neither consent nor refusal.
func karmadactl(ctx context.Context, args ...string) (out string, err error) {
	_, _ = machine.Answered(ctx, func(context.Context) (string, error) { // it waits for as long as it is told to
		out, err = process.Run(ctx, world.lab.Programs["karmadactl"], args...)
		if err != nil && noAnswer(out) {
			return out, err
		}
		return out, nil
	})
	return out, err
}

// noAnswer reports whether what a command printed says that a webhook, an API server or its etcd did not answer in time.
func noAnswer(out string) bool {
	return slices.ContainsFunc([]string{"failed calling webhook", "etcdserver: ", "TLS handshake timeout", "connection reset by peer",
		"http2: client connection lost"}, func(words string) bool { return strings.Contains(out, words) })
}

// unregister the member in pull mode, as a platform admin does.
func unregister(ctx context.Context) (string, error) {
	return karmadactl(ctx, "unregister", pulled, "--wait=10m",
		"--karmada-config="+world.lab.Kubeconfigs["karmada"], "--cluster-kubeconfig="+world.lab.Kubeconfigs[pulled])
}

// register it again: its agent does so when it starts.
func register(t *testing.T) {
	t.Helper()
	unregistered(t)
	ctx := context.WithoutCancel(t.Context())
	if err := world.lab.Stop(ctx, pulledAgent); err != nil {
		t.Fatal(err)
	}
	if err := world.lab.Start(ctx, pulledAgent); err != nil {
		t.Fatal(err)
	}
}

// unregistered waits until nothing is under way any more that the end of a registration began: credentials made before in the member
// would go too, and who joins while the control plane's own are still there, which go as garbage, is given the old ones.
func unregistered(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	NewWithT(t).Eventually(func() bool {
		home := &corev1.Namespace{}
		err := world.members[pulled].Get(ctx, client.ObjectKey{Name: "karmada-cluster"}, home)
		return apierrors.IsNotFound(err) || err == nil && home.DeletionTimestamp.IsZero()
	}, machine.Patience, look).Should(BeTrue(), "namespace karmada-cluster of "+pulled+" is still being deleted")
	NewWithT(t).Eventually(func() bool {
		joined := world.karmada.Get(ctx, client.ObjectKey{Name: pulled}, &clusterv1alpha1.Cluster{})
		return joined == nil ||
			apierrors.IsNotFound(world.karmada.Get(ctx, client.ObjectKey{Namespace: "karmada-cluster", Name: pulled}, &corev1.Secret{}))
	}, machine.Patience, look).Should(BeTrue(), "the control plane still has the credentials of "+pulled+" from before")
}
