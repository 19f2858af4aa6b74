package sets

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/member/vm/environment"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/fleet"
	"github.com/argosy-dev/argosy/member/vm/settings"
)

// work is one look at a set.
type work struct {
	set *v1alpha1.VMReplicaSet
	in  fleet.Input
	now time.Time
	// plan is what to write; it is emptied of what cannot be delivered.
	plan fleet.Plan
	// trouble says why no server is made or changed; empty: nothing is in the way.
	trouble string
	reason  string
	// noBoot says why no machine could boot; empty: one could. It is in the way where a server is to be made, and of nothing else.
	noBoot string
	// taken says which name of a Server that is to be made was somebody else's a moment ago; empty: none was.
	taken string
	// lookAt is when the settings are read again: nothing tells of their change.
	lookAt time.Time
	// settings is the hash of what the template's packages are wanted with.
	settings string
	// removal is what becomes of a set that is being deleted.
	removal removal
}

// removal of a deleted set.
type removal struct {
	// open: its servers may go.
	open bool
	// pending is the approval it waits for.
	pending []gatev1alpha1.PendingApproval
}

// counts says that the plan makes Servers, takes some away, or has the machines of some stopped.
func (w *work) counts() bool {
	return len(w.plan.Create) > 0 || len(w.plan.Offline) > 0 || len(w.plan.Fence) > 0 || w.set.DeletionTimestamp != nil
}

// gather what there is of a set: what the cache knows, or, before anything is made or taken away, what the API server says.
func (r *Reconciler) gather(ctx context.Context, set *v1alpha1.VMReplicaSet, live bool) (*work, error) {
	owned, err := r.owned(ctx, set, live)
	if err != nil {
		return nil, err
	}
	now := r.Now()
	w := &work{set: set, now: now, in: fleet.Input{Set: set, Now: now}}
	if err := r.readSettings(ctx, w); err != nil {
		return nil, err
	}
	for _, server := range owned {
		w.in.Servers = append(w.in.Servers, member(server))
	}
	slices.SortFunc(w.in.Servers, func(a, b fleet.Member) int { return cmp.Compare(a.Name, b.Name) })
	if r.gates != nil {
		w.in.Answers = r.gates.Answers(set.UID, set.Spec.Gates)
	}
	w.in.Taken, w.in.NoMachine = r.takenSlots(set.UID), w.noBoot != ""
	w.plan = fleet.Decide(w.in)
	if trouble := r.notHere(&set.Spec.Template.Metadata, &set.Spec.Template.Spec); trouble != "" {
		w.reason, w.trouble = v1alpha1.ReasonTemplateNotSupported, trouble
	}
	if err := r.checkOverlap(ctx, w); err != nil {
		return nil, err
	}
	if w.lookAt.After(now) && (w.plan.Wake.IsZero() || w.lookAt.Before(w.plan.Wake)) {
		w.plan.Wake = w.lookAt
	}
	if w.trouble != "" {
		w.plan.Create, w.plan.Grant = nil, nil
		// Nor does one give way to another that cannot be made.
		w.plan.Offline = slices.DeleteFunc(w.plan.Offline, func(m fleet.Mark) bool { return m.Reason == fleet.MachineChanged })
		w.plan.LastSlot, w.plan.Unmade = set.Status.LastSlot, set.Status.UnmadeSlots
	}
	if set.DeletionTimestamp != nil {
		w.removal = w.decideRemoval()
	}
	w.taken = r.missing(set.UID, len(w.plan.Create))
	return w, nil
}

// missing gives back which name was taken, of a set that lacks so many Servers; one that lacks none has got past it.
func (r *Reconciler) missing(set types.UID, servers int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if servers == 0 {
		delete(r.taken, set)
	}
	return r.taken[set].said
}

// taken is which names a set could not have.
type taken struct {
	slots []int64
	// said is what there is to say of the last one.
	said string
}

func (r *Reconciler) takenSlots(set types.UID) []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken[set].slots)
}

// owned are the Servers of a set: those of its label, and, before anything is made or taken away, also those that lost it. Whoever takes a
// label off takes no machine off the set's hands; the Server gets it back by its own controller.
func (r *Reconciler) owned(ctx context.Context, set *v1alpha1.VMReplicaSet, live bool) ([]*v1alpha1.Server, error) {
	list := &v1alpha1.ServerList{}
	var err error
	if live {
		err = r.live.List(ctx, list, client.InNamespace(set.Namespace), client.MatchingLabels{v1alpha1.LabelSet: set.Name})
	} else { // nothing is changed of what the cache has: whoever writes a Server copies it
		err = r.cache.List(ctx, list, r.bySet.OfSet(client.ObjectKeyFromObject(set)), client.UnsafeDisableDeepCopy)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the Servers of a set: %w", err)
	}
	var out []*v1alpha1.Server
	known := map[types.UID]bool{}
	for i := range list.Items {
		if server := &list.Items[i]; metav1.IsControlledBy(server, set) {
			out, known[server.UID] = append(out, server), true
		}
	}
	if !live {
		return out, nil
	}
	all := &v1alpha1.ServerList{}
	if err := r.cache.List(ctx, all, client.InNamespace(set.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the Servers of a namespace: %w", err)
	}
	for i := range all.Items {
		if seen := &all.Items[i]; metav1.IsControlledBy(seen, set) && !known[seen.UID] {
			server := &v1alpha1.Server{}
			switch err := r.live.Get(ctx, client.ObjectKeyFromObject(seen), server); {
			case apierrors.IsNotFound(err): // it went meanwhile
			case err != nil:
				return nil, fmt.Errorf("reading a Server without its set's label: %w", err)
			case metav1.IsControlledBy(server, set):
				out = append(out, server)
			}
		}
	}
	return out, nil
}

const (
	// settingsPeriod is how often settings are read, and settingsMissing how often those that are not there.
	settingsPeriod  = time.Minute
	settingsMissing = 10 * time.Second
)

// content of the settings of a set's packages, as it was read.
type content struct {
	// edit is the set as a person wrote it: whoever changes it wants what there is now.
	edit string
	// hash of it, or what is missing.
	hash, missing string
	// noBoot is what the first boot of a machine lacks.
	noBoot string
	// until is how long it counts.
	until time.Time
}

// readSettings of the template's packages: their content is part of the revision. No machine is made either that nobody could get onto, or
// that would boot without what it is to be given; of the latter those that booted need nothing. Each of a set's Servers has its set looked
// at whenever anything happens to it; what is read once in a while does for all of those looks.
func (r *Reconciler) readSettings(ctx context.Context, w *work) error {
	template := &w.set.Spec.Template.Spec
	if !settings.Any(template.Packages) && !settings.OfMachine(&template.Machine) || w.set.DeletionTimestamp != nil {
		w.in.Revision = Revision(w.set, "")
		return nil
	}
	has, err := r.content(ctx, w.set, template, w.now)
	if err != nil {
		return err
	}
	w.lookAt, w.noBoot = has.until, has.noBoot
	if has.missing != "" {
		w.reason, w.trouble = v1alpha1.ReasonSettingsMissing, has.missing
		w.in.Revision = cmp.Or(w.set.Status.UpdateRevision, Revision(w.set, ""))
		return nil
	}
	w.settings = has.hash
	w.in.Revision = Revision(w.set, w.settings)
	return nil
}

func (r *Reconciler) content(
	ctx context.Context, set *v1alpha1.VMReplicaSet, template *v1alpha1.ServerTemplateSpec, now time.Time,
) (content, error) {
	edit := fmt.Sprintf("%d %v", set.Generation, set.Annotations)
	r.mu.Lock()
	was := r.contents[set.UID]
	r.mu.Unlock()
	if was.edit == edit && now.Before(was.until) && was.until.Sub(now) <= settingsPeriod { // a clock that was ahead is not waited for
		return was, nil
	}
	out := content{edit: edit, until: now.Add(settingsPeriod)}
	wanted, err := settings.Read(ctx, r.live, set.Namespace, template.Packages)
	if err == nil {
		err = settings.CheckAccess(ctx, r.live, set.Namespace, &template.Machine)
	}
	if out.missing, err = lacks(err); err != nil {
		return content{}, err
	}
	if out.noBoot, err = lacks(settings.CheckBoot(ctx, r.live, set.Namespace, &template.Machine)); err != nil {
		return content{}, err
	}
	if out.missing != "" || out.noBoot != "" {
		out.until = now.Add(settingsMissing)
	}
	if out.missing == "" && settings.Any(template.Packages) {
		out.hash = environment.SettingsHash(wanted)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.contents[set.UID] = out
	return out, nil
}

// lacks tells what is not there from what could not be read.
func lacks(read error) (missing string, err error) {
	if apierrors.IsNotFound(read) || errors.Is(read, settings.ErrNoKey) {
		return read.Error(), nil
	}
	return "", read
}

// badLabels says which label or annotation no Server can have; empty: none.
func badLabels(metadata *v1alpha1.TemplateMeta) string {
	labels := map[string]string{}
	for key, value := range metadata.Labels {
		labels[key] = string(value)
	}
	path := field.NewPath("spec", "template", "metadata")
	wrong := append(metav1validation.ValidateLabels(labels, path.Child("labels")),
		apivalidation.ValidateAnnotations(metadata.Annotations, path.Child("annotations"))...)
	if len(wrong) == 0 {
		return ""
	}
	return wrong.ToAggregate().Error()
}

// notHere says what of a template is not delivered here; empty: all of it is.
func (r *Reconciler) notHere(metadata *v1alpha1.TemplateMeta, template *v1alpha1.ServerTemplateSpec) string {
	const there = "%s driver %q is not configured here; there is: %s"
	for _, m := range template.Monitors {
		if m.AlertQuery != "" && !r.AlertQueries {
			return fmt.Sprintf("monitor %s has an alertQuery, and no Prometheus is configured here (monitoring.prometheus) to ask it of", m.Name)
		}
	}
	if trouble := badLabels(metadata); trouble != "" {
		return trouble
	}
	if err := environment.CheckAll(template.Packages); err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if len(template.Packages) > 0 && template.Machine.Access == nil {
		return "the template asks for packages, and machine.access is missing: there is no way onto the machine"
	}
	if driver := template.Machine.Driver; !slices.Contains(r.Drivers, driver) {
		return fmt.Sprintf(there, "machine", driver, cmp.Or(strings.Join(r.Drivers, ", "), "none"))
	}
	for _, lb := range template.LoadBalancers {
		if !slices.Contains(r.Balancers, lb.Driver) {
			return fmt.Sprintf(there, "load balancer", lb.Driver, cmp.Or(strings.Join(r.Balancers, ", "), "none"))
		}
	}
	return ""
}

// fenceAttempts that failed are enough for failover.fence BestEffort.
const fenceAttempts = 3

// member reads the marks on a Server.
func member(server *v1alpha1.Server) fleet.Member {
	out := fleet.Member{
		Server: server, Revision: server.Labels[v1alpha1.LabelRevision],
		GivenUp: server.Annotations[v1alpha1.AnnotationGivenUp] != "",
		Current: server.Status.EnvironmentHash == facts.Environment(server.Spec.Packages, server.Annotations[v1alpha1.AnnotationSettings]),
	}
	if at, err := time.Parse(time.RFC3339, server.Annotations[v1alpha1.AnnotationGrantedAt]); err == nil {
		out.GrantedAt = at
	}
	// What does not answer may run; what cannot be asked about too.
	if machine := server.Status.Machine; machine != nil {
		out.Fenced = machine.State == v1alpha1.MachineStopped || machine.State == v1alpha1.MachineGone
	}
	for _, t := range server.Status.Tasks {
		if t.Type == v1alpha1.TaskFenceMachine {
			out.FenceTried = t.State == v1alpha1.TaskSucceeded || t.Attempts >= fenceAttempts
		}
	}
	return out
}

// Revision is the environment of a set's template: all of it but the machine, whose change is another matter, and the hash of the
// settings of its packages, if they have any.
func Revision(set *v1alpha1.VMReplicaSet, settings string) string {
	spec := set.Spec.Template.Spec.DeepCopy()
	spec.Machine = v1alpha1.Machine{}
	text, err := json.Marshal(spec)
	if err != nil {
		return "unreadable" // strings, numbers and maps of strings: they always marshal
	}
	sum := sha256.Sum256(append(text, settings...))
	return hex.EncodeToString(sum[:5])
}

// decideRemoval of a set that is being deleted: by policy, or once a person said so.
func (w *work) decideRemoval() removal {
	if w.set.Spec.RemovalPolicy != v1alpha1.RemovalApprove || len(w.in.Servers) == 0 {
		return removal{open: true}
	}
	id := fleet.RemovalOperation(w.set)
	if verdict, _ := gate.Judge(w.set.Spec.Approvals, gatev1alpha1.GateRemoval, id); verdict == gate.Opened {
		return removal{open: true}
	}
	return removal{pending: []gatev1alpha1.PendingApproval{{
		Gate: gatev1alpha1.GateRemoval, OperationID: id, Since: w.set.DeletionTimestamp,
		Summary: fmt.Sprintf("the set was deleted: %d servers and their machines are removed", len(w.in.Servers)),
	}}}
}
