package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// Users carry operations out.
type Users struct {
	Karmada   client.Client
	Members   map[string]client.Client
	Namespace string
	Clock     clock.Clock
	Note      func(context.Context, history.Note) error

	mu     sync.Mutex
	loads  map[string]context.CancelFunc
	images int
	orders int
	// given is what a person last asked for, by application.
	given map[string]int64
	count map[string]int
	load  sync.WaitGroup
}

// patience of a user with one operation: what is refused is tried again, as a pipeline does.
const patience = time.Minute

// Begin makes the namespace and all applications, and their first load.
func (u *Users) Begin(ctx context.Context, apps []App) error {
	u.loads, u.given, u.count = map[string]context.CancelFunc{}, map[string]int64{}, map[string]int{}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.Namespace}}
	if err := u.Karmada.Create(ctx, namespace); err != nil {
		return fmt.Errorf("making namespace %s: %w", u.Namespace, err)
	}
	for _, app := range apps {
		if err := u.intend(ctx, app, app.Replicas); err != nil {
			return err
		}
		if err := demo.Apply(ctx, u.Karmada, strings.ReplaceAll(app.Manifests(), "$NS", u.Namespace)); err != nil {
			return err
		}
		if app.Name == Fed || app.Name == FedSet {
			var members []string
			for name := range u.Members {
				members = append(members, name)
			}
			for member, millicores := range startLoad(members) {
				u.setLoad(ctx, app, member, millicores)
			}
		}
	}
	return nil
}

// intend notes what an owner wants, before he asks for it.
func (u *Users) intend(ctx context.Context, app App, replicas int64) error {
	u.mu.Lock()
	u.given[app.Name] = replicas
	u.mu.Unlock()
	key := app.Key(u.Namespace)
	return u.Note(ctx, history.Note{Kind: history.Intent, Name: app.Name, Target: app.Name, Subject: &key, Value: replicas})
}

// overtime is how long users go on with what they had no time for.
const overtime = 2 * time.Minute

// Work does each application's operations in their order, and returns when all are done, the time and the overtime are over or the
// context ends: on a machine on which each takes longer than is planned for it, the last ones are not done.
func (u *Users) Work(ctx context.Context, length time.Duration, apps []App, ops map[string][]Op) {
	var wg sync.WaitGroup
	begun := u.Clock.Now()
	for _, app := range apps {
		wg.Go(func() {
			for _, op := range ops[app.Name] {
				if wait := op.At - u.Clock.Since(begun); wait > 0 {
					select {
					case <-ctx.Done():
						return
					case <-u.Clock.After(wait):
					}
				}
				if ctx.Err() != nil || u.Clock.Since(begun) > length+overtime {
					return
				}
				u.do(ctx, app, op)
			}
		})
	}
	wg.Wait()
}

// do tries an operation until it is accepted, for a minute at most, and notes what came of it.
func (u *Users) do(ctx context.Context, app App, op Op) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun := u.Clock.Now()
	var err error
	for {
		if err = u.once(within, app, op); err == nil || within.Err() != nil || errors.Is(err, errNothing) {
			break
		}
		select {
		case <-within.Done():
		case <-u.Clock.After(500 * time.Millisecond):
		}
	}
	if errors.Is(err, errNothing) || err != nil && ctx.Err() != nil {
		return // nothing was asked for, or the run ends
	}
	note := history.Note{Kind: history.Operation, Name: op.What, Target: app.Name, Value: u.Clock.Since(begun).Milliseconds()}
	counted := op.What
	if err != nil {
		counted += refused
		note.Text = err.Error()
		if op.What == Scale {
			u.admit(context.WithoutCancel(ctx), app)
		}
	}
	_ = u.Note(context.WithoutCancel(ctx), note) // a history with a hole is told by its collector
	u.mu.Lock()
	u.count[counted]++
	u.mu.Unlock()
}

// admit makes what is there what its owner wants, when he was refused for a minute: what he asked for last may have been written all the
// same.
func (u *Users) admit(ctx context.Context, app App) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for within.Err() == nil {
		object := app.Object(u.Namespace)
		if err := u.Karmada.Get(within, client.ObjectKeyFromObject(object), object); err == nil {
			replicas, _ := history.Object(object.Object).Int("spec", "replicas")
			if u.intend(within, app, replicas) == nil {
				return
			}
		}
		select {
		case <-within.Done():
		case <-u.Clock.After(time.Second):
		}
	}
}

// Done is how many operations of each kind were carried out; those that were refused for a minute are told apart.
func (u *Users) Done() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.count
}

// errNothing: there is nothing to do the operation with.
var errNothing = errors.New("nothing to do")

func (u *Users) once(ctx context.Context, app App, op Op) error {
	attempt, cancel := context.WithTimeout(ctx, 15*time.Second) // of one request
	defer cancel()
	object := app.Object(u.Namespace)
	merge := func(format string, args ...any) error {
		return u.Karmada.Patch(attempt, object, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...)))
	}
	switch op.What {
	case Scale:
		if err := u.intend(attempt, app, op.Value); err != nil {
			return err
		}
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, op.Value))
		return u.Karmada.SubResource("scale").Patch(attempt, object, patch)
	case NewImage:
		return merge(`{"spec":{"updateStrategy":{"partition":%d},"template":%s}}`, op.Value, u.newImage())
	case Ship:
		return merge(`{"spec":{"template":%s}}`, u.newImage())
	case Reject:
		return u.reject(attempt, app)
	case Partition:
		return merge(`{"spec":{"updateStrategy":{"partition":%d}}}`, op.Value)
	case Touch:
		return merge(`{"metadata":{"labels":{"touched":"t%d"}}}`, op.Value)
	case Load:
		u.setLoad(ctx, app, op.Member, op.Value)
		return nil
	case ScaleIn:
		return u.scaleIn(ctx, app, op)
	default:
		return fmt.Errorf("no operation is called %q", op.What)
	}
}

// newImage is a patch of a pod template: an image that was not there before.
func (u *Users) newImage() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.images++
	return fmt.Sprintf(`{"spec":{"containers":[{"name":"main","image":"registry.example/app:v%d",`+
		`"resources":{"requests":{"cpu":"100m","memory":"16Mi"}}}]}}`, u.images+1)
}

// setLoad puts so much load on an application in a member, instead of what was there.
func (u *Users) setLoad(ctx context.Context, app App, member string, millicores int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := app.Name + "@" + member
	if stop := u.loads[at]; stop != nil {
		stop()
	}
	// The load of a user's users goes on after this operation, until the run ends.
	loaded, stop := context.WithCancel(context.WithoutCancel(ctx))
	u.loads[at] = stop
	load := demo.Load{Member: u.Members[member], Namespace: u.Namespace, Labels: map[string]string{"app": app.Name}}
	u.load.Go(func() { load.Run(loaded, int(millicores)) })
}

// End takes all load away.
func (u *Users) End() {
	u.mu.Lock()
	for _, stop := range u.loads {
		stop()
	}
	u.mu.Unlock()
	u.load.Wait()
}

// scaleIn orders some pods away and waits for what comes of it. An order is made once, whatever is answered: its name tells whether it is
// there.
func (u *Users) scaleIn(ctx context.Context, app App, op Op) error {
	order, err := u.order(ctx, app, op)
	if err != nil {
		return err
	}
	return u.follow(ctx, app, order, op.Value)
}

func (u *Users) order(ctx context.Context, app App, op Op) (*appsv1alpha1.PodScaleIn, error) {
	u.mu.Lock()
	u.orders++
	number, given := u.orders, u.given[app.Name]
	u.mu.Unlock()
	var names []appsv1alpha1.PodReference
	for _, member := range slices.Sorted(keys(u.Members)) {
		var pods corev1.PodList
		if err := u.Members[member].List(ctx, &pods, client.InNamespace(u.Namespace), client.MatchingLabels{"app": app.Name}); err != nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", member, err)
		}
		for i := range pods.Items {
			if pods.Items[i].DeletionTimestamp == nil && i < 2 { // a member keeps some
				names = append(names, appsv1alpha1.PodReference{Cluster: member, Name: pods.Items[i].Name})
			}
		}
	}
	if int64(len(names)) <= op.Value || given-op.Value < 3 {
		return nil, errNothing
	}
	names = names[:op.Value]
	if err := u.intend(ctx, app, given-op.Value); err != nil {
		return nil, err
	}
	order := &appsv1alpha1.PodScaleIn{}
	order.Namespace, order.Name = u.Namespace, fmt.Sprintf("%s-%d", app.Name, number)
	order.Spec = appsv1alpha1.PodScaleInSpec{
		TargetRef: appsv1alpha1.ScaleInTarget{APIVersion: app.APIVersion, Kind: app.Kind, Name: app.Name}, Pods: names, Reason: "nemesis",
	}
	return order, nil
}

// orderPatience is how much longer its owner waits for the end of an order: what he asks for next would be added up with it, and nobody
// could say what he wants.
const orderPatience = 4 * time.Minute

// follow creates an order and waits for its end. What was refused was not wanted, after all.
func (u *Users) follow(ctx context.Context, app App, order *appsv1alpha1.PodScaleIn, pods int64) error {
	created, patient := false, false
	for {
		phase, err := u.look(ctx, order, &created)
		switch {
		case errors.Is(err, errNothing):
			return u.takeBack(ctx, app, pods, err)
		case phase == appsv1alpha1.PhaseSucceeded:
			return nil
		case phase == appsv1alpha1.PhaseFailed, phase == appsv1alpha1.PhaseRefused:
			return u.takeBack(ctx, app, pods, nil)
		}
		select {
		case <-ctx.Done():
			if !patient {
				patient = true
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), orderPatience)
				defer cancel()
				continue
			}
			if !created {
				return u.takeBack(context.WithoutCancel(ctx), app, pods, errNothing)
			}
			return fmt.Errorf("waiting for PodScaleIn %s, in phase %q: %w", order.Name, phase, errors.Join(ctx.Err(), err))
		case <-u.Clock.After(500 * time.Millisecond):
		}
	}
}

// look at an order, which is created where it is not there yet: an answer may have been lost.
func (u *Users) look(ctx context.Context, order *appsv1alpha1.PodScaleIn, created *bool) (appsv1alpha1.PodScaleInPhase, error) {
	seen := order.DeepCopy()
	err := u.Karmada.Get(ctx, client.ObjectKeyFromObject(order), seen)
	if apierrors.IsNotFound(err) && !*created {
		err = u.Karmada.Create(ctx, order.DeepCopy())
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
			return "", errNothing // the pods have changed since they were looked at
		}
	}
	*created = *created || err == nil
	return seen.Status.Phase, err
}

func (u *Users) takeBack(ctx context.Context, app App, pods int64, outcome error) error {
	u.mu.Lock()
	given := u.given[app.Name]
	u.mu.Unlock()
	if err := u.intend(ctx, app, given+pods); err != nil {
		return err
	}
	return outcome
}

func keys(members map[string]client.Client) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range members {
			if !yield(name) {
				return
			}
		}
	}
}

// Leave deletes all applications with their namespace.
func (u *Users) Leave(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.Namespace}}
	if err := u.Karmada.Delete(ctx, namespace); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", u.Namespace, err)
	}
	return nil
}
