package component

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/retry"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/member/component/decide"
	"github.com/argosy-dev/argosy/member/component/wave"
)

// +kubebuilder:rbac:groups=component.luojilab.com,resources=componenttemplates/status,verbs=patch

// waves brings changes of templates to Components: one look at all of them says who is next.
type waves struct {
	*Reconciler
	// waiting keeps what a Component waits for, which costs two renderings to find out; it may be lost at any time.
	waiting map[types.UID]remembered
	// told is what was said of waves that no template tells of, by their templates; it may be lost at any time, and is said again.
	told map[string]string
}

// remembered is what was found of a Component as it was then.
type remembered struct {
	generation      int64
	labels          string
	name, candidate string
	found           *wave.Waits
}

const (
	// soon gathers the events of many Components into one look.
	soon = time.Second
	// leftOver is how long a copy that nothing is rendered from stays: it may have been made for a write under way.
	leftOver = 10 * time.Minute
)

// add lets mgr run the waves while it leads.
func (w *waves) add(mgr manager.Manager) error {
	everything := handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			look(q)
		},
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			look(q)
		},
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			look(q)
		},
	}
	return builder.ControllerManagedBy(mgr).Named("component-wave").
		Watches(&v1alpha1.ComponentTemplate{}, everything).
		Watches(&v1alpha1.Component{}, everything).
		WithOptions(controller.Options{RateLimiter: retry.Limiter()}).
		Complete(w)
}

// look at all waves: there is one request.
func look(q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: "waves"}}, soon)
}

// Reconcile grants a change to whoever is next.
func (w *waves) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	templates, values, err := w.today(ctx)
	if errors.Is(err, errBehind) {
		return reconcile.Result{RequeueAfter: lookSoon}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	components := &v1alpha1.ComponentList{}
	if err := w.cache.List(ctx, components, client.UnsafeDisableDeepCopy); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing Components: %w", err)
	}
	today := wave.At(templates, values)
	candidates, used, err := w.candidates(ctx, components.Items, today)
	if err != nil {
		return reconcile.Result{}, err
	}
	return w.bring(ctx, today, wave.Groups(candidates), used)
}

// bring grants, tells and clears up.
func (w *waves) bring(
	ctx context.Context, today *wave.Today, groups []wave.Group, used map[string]bool,
) (reconcile.Result, error) {
	var again time.Duration
	told := map[string]v1alpha1.WaveStatus{}
	pending, failed, stopped := 0, 0, 0
	untold := map[string]string{}
	for _, group := range groups {
		plan := wave.Decide(group.Members, wave.PaceOf(today.Templates, group.Templates), w.clock.Now())
		for _, member := range plan.Grant {
			if err := w.grant(ctx, member); err != nil {
				return reconcile.Result{}, err
			}
		}
		pending, failed = pending+plan.Total-plan.Updated, failed+plan.Failed
		if plan.State == v1alpha1.WaveStopped {
			stopped++
			w.tellMembers(today, group.Templates, &plan, untold)
		}
		if plan.Again > 0 && (again == 0 || plan.Again < again) {
			again = plan.Again
		}
		for _, name := range group.Templates {
			told[name] = v1alpha1.WaveStatus{
				ControllerID: w.id, State: plan.State, Components: int32(plan.Total), Updated: int32(plan.Updated),
				Restarting: int32(plan.Restarting), Failed: int32(plan.Failed), Message: text.Cut(plan.Message, longestWaveMessage),
			}
		}
	}
	w.measures.waiting.Set(float64(pending))
	w.measures.failed.Set(float64(failed))
	w.measures.stopped.Set(float64(stopped))
	w.told = untold
	for i := range today.Templates {
		if err := w.say(ctx, today, &today.Templates[i], told); err != nil {
			return reconcile.Result{}, err
		}
	}
	next, err := w.clear(ctx, used)
	if err != nil {
		return reconcile.Result{}, err
	}
	if next > 0 && (again == 0 || next < again) {
		again = next
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

// tellMembers says of a wave that stopped, and that no template is there to tell of, so on those that stop it: of templates that were
// deleted, or of the controller. It is said once, and once more where it says something else.
func (w *waves) tellMembers(today *wave.Today, changed []string, plan *wave.Plan, now map[string]string) {
	if slices.ContainsFunc(today.Templates, func(t v1alpha1.ComponentTemplate) bool { return slices.Contains(changed, t.Name) }) {
		return
	}
	key := strings.Join(changed, ",")
	now[key] = plan.Message
	if w.told[key] == plan.Message {
		return
	}
	for _, member := range plan.Stops[:min(len(plan.Stops), mostTold)] {
		w.recorder.Eventf(member.Component, corev1.EventTypeWarning, v1alpha1.ReasonWaveStopped, "The wave stopped of %s. %s",
			wave.Untold(changed), text.Cut(plan.Message, longestEvent))
	}
}

// What is told of one wave, and how much an event has room for, with room.
const (
	mostTold     = 20
	longestEvent = 900
)

// What a status has room for.
const (
	longestWaveMessage = 4000
	mostChanged        = 1000
)

// candidates are the Components that a wave may speak of, and the copies that are rendered from.
func (w *waves) candidates(
	ctx context.Context, components []v1alpha1.Component, today *wave.Today,
) ([]wave.Candidate, map[string]bool, error) {
	used := map[string]bool{}
	out := make([]wave.Candidate, 0, len(components))
	remember, owners := map[types.UID]remembered{}, map[string]int{}
	for i := range components {
		c := &components[i]
		if revision := c.Status.TemplateRevision; revision != nil {
			used[revision.Name] = true
		}
		if c.Status.Canary != nil {
			used[c.Status.Canary.Before] = true
		}
		owners[cmp.Or(c.Status.ControllerID, "none")]++
		if c.DeletionTimestamp != nil || decide.Unmanaged(c) || c.Status.ControllerID != w.id {
			continue
		}
		candidate, key, err := w.candidate(ctx, c, today)
		if err != nil {
			return nil, nil, err
		}
		if key != nil {
			remember[c.UID] = *key
		}
		out = append(out, candidate)
	}
	w.waiting = remember
	w.measures.owners(owners)
	return out, used, nil
}

// candidate is a Component with the change it waits for, and what is remembered of that; nil when it waits for none.
func (w *waves) candidate(ctx context.Context, c *v1alpha1.Component, today *wave.Today) (wave.Candidate, *remembered, error) {
	candidate := wave.Candidate{Component: c}
	if c.Status.TemplateRevision == nil && len(c.Status.Resources) == 0 {
		// Nothing is in place, so that no wave holds it: after a cold start that is all of them, and rendering each at every look is dear.
		return candidate, nil, nil
	}
	key := remembered{generation: c.Generation}
	if c.Status.TemplateRevision != nil {
		key.name = c.Status.TemplateRevision.Name
	}
	revision, err := today.Of(c)
	if err != nil {
		key.candidate = err.Error() // no revision has such a name
	} else {
		candidate.Matching, key.candidate = revision.Matching, revision.Name
		if key.name == key.candidate {
			return candidate, nil, nil
		}
	}
	key.labels = fmt.Sprint(c.Labels)
	if before, found := w.waiting[c.UID]; key.name != "" && found && before.same(key) {
		candidate.Waits, key.found = before.found, before.found
		return candidate, &key, nil
	}
	choice, err := w.choose(ctx, c, today.Templates, today.Values)
	if err != nil {
		return candidate, nil, err
	}
	candidate.Waits, key.found = choice.Waits, choice.Waits
	return candidate, &key, nil
}

func (r remembered) same(other remembered) bool {
	r.found, other.found = nil, nil
	return r == other
}

// grant gives a Component the change it waits for. A conflict means that it was looked at anew: so will this.
func (w *waves) grant(ctx context.Context, member *wave.Member) error {
	if err := w.keepCopy(ctx, member.Waits.Name, member.Waits.Target); err != nil {
		return err
	}
	base := member.Component.DeepCopy()
	changed := member.Component.DeepCopy()
	revision := v1alpha1.TemplateRevision{Name: member.Waits.Name, BrokenBefore: wave.Broken(changed)}
	revision.Changed = member.Waits.Changed[:min(len(member.Waits.Changed), mostChanged)]
	if was := changed.Status.TemplateRevision; was != nil {
		revision.Applied = was.Applied
		// What a change of ours broke is not excused by it, so that the mend is watched as the change was.
		revision.BrokenBefore = revision.BrokenBefore && (was.Since == nil || was.BrokenBefore)
	}
	now := metav1.NewTime(w.clock.Now())
	revision.Since = &now
	changed.Status.TemplateRevision = &revision
	err := w.writer.Status().Patch(ctx, changed, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("giving Component %s/%s a change of the templates: %w", base.Namespace, base.Name, err)
	}
	log.FromContext(ctx).Info("Gave a Component a change of the templates", "component", klog.KObj(base), "revision", revision.Name,
		"reason", strings.Join(member.Waits.Changed, ","))
	return nil
}

// say writes into a template how far its change is. Where nobody waits for it any more it has reached everybody.
func (w *waves) say(
	ctx context.Context, today *wave.Today, template *v1alpha1.ComponentTemplate, told map[string]v1alpha1.WaveStatus,
) error {
	var before *v1alpha1.WaveStatus
	for i := range template.Status.Waves {
		if template.Status.Waves[i].ControllerID == w.id {
			before = &template.Status.Waves[i]
		}
	}
	now, waits := told[template.Name]
	if !waits {
		rest := today.Rest(before)
		if rest == nil {
			return nil
		}
		now = *rest
	}
	if before != nil && equality.Semantic.DeepEqual(*before, now) {
		return nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&now)
	if err != nil {
		return fmt.Errorf("writing status of ComponentTemplate %s: %w", template.Name, err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"waves": []any{content}}}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ComponentTemplate"))
	u.SetName(template.Name)
	u.SetUID(template.UID)
	err = w.writer.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.ForceOwnership,
		client.FieldOwner(v1alpha1.FieldManager+"-wave-"+w.id))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing status of ComponentTemplate %s: %w", template.Name, err)
	}
	if before == nil || before.State != now.State {
		kind := "Normal"
		if now.State == v1alpha1.WaveStopped {
			kind = "Warning"
		}
		w.recorder.Event(template, kind, string(now.State), now.Message)
	}
	return nil
}

// clear deletes copies that nothing is rendered from, and says when the next may go.
func (w *waves) clear(ctx context.Context, used map[string]bool) (time.Duration, error) {
	list := &appsv1.ControllerRevisionList{}
	err := w.cache.List(ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelTemplateRevision: "true"},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return 0, fmt.Errorf("listing copies of templates: %w", err)
	}
	var next time.Duration
	for i := range list.Items {
		object := &list.Items[i]
		if used[object.Name] {
			continue
		}
		if age := w.clock.Since(object.CreationTimestamp.Time); age < leftOver {
			if left := leftOver - age; next == 0 || left < next {
				next = left
			}
			continue
		}
		err := w.writer.Delete(ctx, object.DeepCopy(), client.Preconditions{UID: &object.UID})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return 0, fmt.Errorf("deleting ControllerRevision %s: %w", object.Name, err)
		}
	}
	return next, nil
}
