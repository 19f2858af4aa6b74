package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	kruisev1beta1 "github.com/openkruise/kruise-api/apps/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	componentv1beta1 "github.com/argosy-dev/argosy/api/component/v1beta1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// Stage is what a scene acts on.
type Stage struct {
	// Lab is the federation.
	Lab *lab.Lab
	// Karmada is the control plane, Members the member clusters by name.
	Karmada client.Client
	Members map[string]client.Client

	options Options
	scene   Scene
	paint   func(code, text string) string
	out     io.Writer
	rows    []Row
}

// NewScheme knows every kind scenes and stories read in typed form.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme,
		kruisev1alpha1.AddToScheme, kruisev1beta1.AddToScheme,
		vmv1alpha1.AddToScheme, componentv1alpha1.AddToScheme, componentv1beta1.AddToScheme,
		clusterv1alpha1.Install, configv1alpha1.Install, policyv1alpha1.Install, workv1alpha1.Install, workv1alpha2.Install,
		migrationv1alpha1.AddToScheme, releasev1alpha1.AddToScheme,
		appsv1alpha1.AddToScheme, autoscalingv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	return scheme, nil
}

func newStage(o Options, scene Scene, paint func(code, text string) string) (*Stage, error) {
	s := &Stage{Lab: o.Lab, Members: map[string]client.Client{}, options: o, scene: scene, paint: paint, out: o.Out}
	var err error
	if s.Karmada, err = Client(o.Lab, lab.KarmadaPlaneName, s); err != nil {
		return nil, err
	}
	for _, name := range o.Lab.Members {
		if s.Members[name], err = Client(o.Lab, name, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Client reads and writes a plane of the lab: "karmada" or a member. It has no cache: what it
// reads is what is there. Without a handler the API server's warnings are logged.
func Client(l *lab.Lab, plane string, warnings rest.WarningHandler) (client.Client, error) {
	cfg, err := l.Config(plane)
	if err != nil {
		return nil, err
	}
	cfg.WarningHandler = warnings
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(lab.PatientWithTheSlow(cfg), client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client of %s: %w", plane, err)
	}
	return c, nil
}

// as is a client of the control plane for a person who has one of the roles for people, and no other right.
func (s *Stage) as(person, role string) (client.Client, error) {
	config, err := s.Lab.Karmada()
	if err != nil {
		return nil, err
	}
	return client.New(lab.PatientWithTheSlow(lab.Person(config, person, role)), client.Options{Scheme: s.Karmada.Scheme()})
}

// writesMeet is how often a write is tried again that met another one: controllers write statuses at any moment.
func writesMeet() wait.Backoff {
	return wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 12}
}

// HandleWarningHeader makes the API server's warnings a part of the story, as kubectl shows them.
func (s *Stage) HandleWarningHeader(code int, _, text string) {
	// 299 is the only code Kubernetes sends.
	if code == 299 && text != "" {
		s.Say("Warning: %s", text)
	}
}

// Step says what is done next.
func (s *Stage) Step(format string, args ...any) {
	fmt.Fprintf(s.out, "\n  %s\n", s.paint(bold, "> "+fmt.Sprintf(format, args...)))
}

// Say tells something a person should know, such as what another system would have done.
func (s *Stage) Say(format string, args ...any) {
	fmt.Fprintln(s.out, indent("    ", fmt.Sprintf(format, args...)))
}

// See reads what a person would see.
type See func(context.Context) (string, error)

// Expect waits until what is seen equals what is expected, shows both and keeps them for the table.
// It returns whether they met.
func (s *Stage) Expect(ctx context.Context, what, expected string, see See) bool {
	return s.ExpectWithin(ctx, machine.Patience, what, expected, see)
}

// ExpectWithin is Expect with a patience of its own.
func (s *Stage) ExpectWithin(ctx context.Context, within time.Duration, what, expected string, see See) bool {
	return s.record(s.await(ctx, within, what, expected, see))
}

// ExpectHeld is Expect for what must not only come true but stay so: it looks on for the given time.
// A canary that goes through one pod on its way to three is no canary.
func (s *Stage) ExpectHeld(ctx context.Context, held time.Duration, what, expected string, see See) bool {
	row := s.await(ctx, machine.Patience, what, expected, see)
	if !row.OK {
		return s.record(row)
	}
	row.What = fmt.Sprintf("%s, held %.0f s", what, held.Seconds())
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, held, true, func(context.Context) (bool, error) {
		row.Seen = answered(ctx, see) // a look begun in time may end later
		return row.Seen != expected, nil
	})
	row.OK = wait.Interrupted(err)
	return s.record(row)
}

// answered is what is seen once somebody answers.
func answered(ctx context.Context, see See) string {
	seen, err := machine.Answered(ctx, see)
	if err != nil {
		return "error: " + err.Error()
	}
	return seen
}

func (s *Stage) await(ctx context.Context, within time.Duration, what, expected string, see See) Row {
	start := s.options.Clock.Now()
	waiting := time.AfterFunc(10*time.Second, func() {
		fmt.Fprintf(s.out, "    ...   waiting up to %s for: %s\n", within, what)
	})
	defer waiting.Stop()
	row := Row{What: what, Expected: expected, Seen: "nothing"}
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		now, err := see(ctx)
		if ctx.Err() != nil {
			return false, nil // the deadline cut this look short: the one before stands
		}
		if err != nil {
			now = "error: " + err.Error()
		}
		row.Seen = now
		return err == nil && now == expected, nil
	})
	row.OK = err == nil
	row.Took = s.options.Clock.Since(start)
	return row
}

// ExpectUnder judges a measured time against its aim.
func (s *Stage) ExpectUnder(what string, aim, took time.Duration) bool {
	return s.record(Row{
		What: what, OK: took < aim, Took: took, Timed: true,
		Expected: fmt.Sprintf("under %.0f s", aim.Seconds()), Seen: fmt.Sprintf("%.1f s", took.Seconds()),
	})
}

func (s *Stage) record(row Row) bool {
	row.Scene = s.scene.Name
	s.rows = append(s.rows, row)
	if row.OK {
		fmt.Fprintf(s.out, "    %s  %s: %s (%.1f s)\n", verdict(s.paint, true), row.What, oneLine(row.Seen), row.Took.Seconds())
		return true
	}
	fmt.Fprintf(s.out, "    %s  %s: expected %s, seen %s (%.1f s)\n",
		verdict(s.paint, false), row.What, row.Expected, oneLine(row.Seen), row.Took.Seconds())
	return false
}

// Elapsed measures from now until the result is called, once. What this process could not see, because it was not let run, does not count.
func (s *Stage) Elapsed() func() time.Duration {
	watch, end := &stopwatch{last: s.options.Clock.Now()}, make(chan struct{})
	go watch.run(end, s.options.Clock)
	return func() time.Duration {
		close(end)
		return watch.look(s.options.Clock.Now())
	}
}

// Apply writes YAML to the control plane as `kubectl apply --server-side` does.
func (s *Stage) Apply(ctx context.Context, manifests string) error {
	return Apply(ctx, s.Karmada, manifests)
}

// Apply writes YAML to a plane as `kubectl apply --server-side` does.
func Apply(ctx context.Context, plane client.Client, manifests string) error {
	objects, err := manifest.Parse([]byte(manifests))
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	for _, u := range objects {
		if err := plane.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("demo"), client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s %s: %w", u.GetKind(), u.GetName(), err)
		}
	}
	return nil
}

// Fresh makes the namespace, and empties it first if an earlier performance left it, in the control
// plane and, by Karmada, in the members.
func (s *Stage) Fresh(ctx context.Context, namespace string) error {
	if s.Karmada.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{}) == nil {
		s.Say("removing what an earlier performance left in namespace %s", namespace)
	}
	if err := s.empty(ctx, namespace); err != nil {
		return err
	}
	if err := s.Karmada.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return fmt.Errorf("making namespace %s: %w", namespace, err)
	}
	return nil
}

// empty deletes the namespace and all in it, and waits until it is gone everywhere.
func (s *Stage) empty(ctx context.Context, namespace string) error {
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := client.IgnoreNotFound(s.Karmada.Delete(ctx, object)); err != nil {
		return fmt.Errorf("emptying namespace %s: %w", namespace, err)
	}
	planes := []client.Client{s.Karmada}
	for _, member := range s.Members {
		planes = append(planes, member)
	}
	for _, plane := range planes {
		var last error
		err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, machine.Patience, true, func(ctx context.Context) (bool, error) {
			last = plane.Get(ctx, client.ObjectKeyFromObject(object), &corev1.Namespace{})
			return apierrors.IsNotFound(last), nil
		})
		if err != nil {
			return fmt.Errorf("waiting until namespace %s is gone: %w", namespace, errors.Join(err, last))
		}
	}
	return nil
}
