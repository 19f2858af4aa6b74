package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/member/component/render"
	"github.com/argosy-dev/argosy/member/component/wave"
)

// Outcome is what came of the steps.
type Outcome struct {
	Steps Steps
	// Live is what exists after them, by the keys of the input.
	Live map[Key]*unstructured.Unstructured
	// Refused are objects the API server does not take as they are.
	Refused []Blocked
	// Failed is why the steps were not all carried out, though trying again may help; nil: they were.
	Failed error
	// Pods of the workload where some do not serve, and nil where nobody looked.
	Pods []corev1.Pod
	Now  time.Time
}

// Status of the Component after the steps.
func Status(in *Input, out *Outcome) v1alpha1.ComponentStatus {
	status := *in.Component.Status.DeepCopy()
	s := &settling{in: in, out: out, status: &status}
	s.rendered()
	s.revision()
	s.unmanaged()
	s.workload()
	s.addresses()
	return status
}

// settling is a status on its way.
type settling struct {
	in     *Input
	out    *Outcome
	status *v1alpha1.ComponentStatus
	// instead is set where another version of the workload is there than the one that is asked for: it was refused, or cannot be rendered.
	instead bool
}

func (s *settling) set(name string, value metav1.ConditionStatus, reason, format string, args ...any) {
	meta.SetStatusCondition(&s.status.Conditions, metav1.Condition{
		Type: name, Status: value, Reason: reason, Message: text.Cut(fmt.Sprintf(format, args...), longestMessage),
		ObservedGeneration: s.in.Component.Generation, LastTransitionTime: metav1.Time{Time: s.out.Now},
	})
}

// longestMessage is what a condition may hold, with room.
const longestMessage = 4096

func (s *settling) rendered() {
	if err := s.in.RenderErr; err != nil {
		s.set(v1alpha1.ConditionRendered, metav1.ConditionFalse, reasonOf(err), "%v. What ran before goes on as it was. %s",
			err, mend(err))
		return
	}
	if s.in.Held {
		s.held()
		return
	}
	s.status.Templates = nil
	for _, t := range s.in.Report.Templates {
		s.status.Templates = append(s.status.Templates, v1alpha1.AppliedTemplate{Name: t.Name, Generation: t.Generation})
	}
	s.status.Templates = limited(s.status.Templates, v1alpha1.MaxTemplates)
	if s.in.Unmanaged() {
		return
	}
	s.resources()
	if wrong := append(append([]Blocked{}, s.out.Steps.Blocked...), s.out.Refused...); len(wrong) > 0 {
		var all []string
		for _, b := range wrong {
			all = append(all, b.Message)
		}
		s.set(v1alpha1.ConditionRendered, metav1.ConditionFalse, wrong[0].Reason, "%s", strings.Join(all, " "))
		return
	}
	if s.out.Failed != nil {
		s.set(v1alpha1.ConditionRendered, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed,
			"The cluster did not do all that was asked of it: %v. It is tried again; what ran before goes on.", s.out.Failed)
		return
	}
	if s.left() {
		return
	}
	if waits := s.in.Templates.Waits; waits != nil && waits.Err != nil {
		s.set(v1alpha1.ConditionRendered, metav1.ConditionFalse, reasonOf(waits.Err),
			"%v. It goes on as it was, with the templates of before. %s", waits.Err, mend(waits.Err))
		return
	}
	s.inPlace()
}

// held tells of objects as another version of the controller left them. Nobody here can tell whether they are what is asked for; that
// version could, so that what it did not bring in place is not in place.
func (s *settling) held() {
	if s.left() {
		return
	}
	before := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionRendered)
	if before == nil || before.Status != metav1.ConditionFalse || before.Reason == v1alpha1.ReasonObjectDeleted {
		s.set(v1alpha1.ConditionRendered, metav1.ConditionTrue, v1alpha1.ReasonRendered,
			"%d objects are in place, as another version of the controller made them.%s", len(s.status.Resources), waiting)
		return
	}
	s.set(v1alpha1.ConditionRendered, metav1.ConditionFalse, before.Reason, "%s%s", strings.TrimSuffix(before.Message, heldBack), heldBack)
}

// heldBack is said of what was not in place when another version of the controller came.
const heldBack = " Another version of the controller runs since: it tries when this component's turn comes, or when it is edited."

// left says of objects that are being deleted that they are; false: none is.
func (s *settling) left() bool {
	leaving := s.leaving()
	if len(leaving) > 0 {
		s.set(v1alpha1.ConditionRendered, metav1.ConditionFalse, v1alpha1.ReasonObjectDeleted,
			"Somebody deleted %s, and it is not gone yet. It is made again then.", strings.Join(leaving, ", "))
	}
	return len(leaving) > 0
}

// waiting is said while a change of the templates is on its way to others first.
const waiting = " A change of the cluster's templates is on its way, and has not reached this component yet."

// revision notes which revision of the templates was rendered from. What was granted stays as it is until then.
func (s *settling) revision() {
	choice := &s.in.Templates
	if s.in.Held || s.in.Unmanaged() || choice.Name == "" {
		return
	}
	before := s.status.TemplateRevision
	if before == nil || before.Name != choice.Name {
		now := &v1alpha1.TemplateRevision{Name: choice.Name}
		// Nothing changed by it. What a wave broke stays that wave's until it is mended.
		if before != nil && before.Since != nil && wave.Broken(s.in.Component) {
			now.Since, now.BrokenBefore, now.Changed = before.Since, before.BrokenBefore, before.Changed
		}
		s.status.TemplateRevision = now
	} else {
		s.status.TemplateRevision = before.DeepCopy()
	}
	s.status.TemplateRevision.Applied = choice.Name
}

func (s *settling) inPlace() {
	var foreign []string
	for _, a := range s.out.Steps.Apply {
		if a.Adopt != nil && a.Adopt.Foreign != "" {
			foreign = append(foreign, KeyOf(a.Object).String()+": "+a.Adopt.Foreign)
		}
	}
	before := meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionRendered)
	switch {
	case len(foreign) > 0:
		s.set(v1alpha1.ConditionRendered, metav1.ConditionTrue, v1alpha1.ReasonAdoptedWithForeignFields,
			"What ran was taken over. The Component does not speak of these fields, and their owners keep them: %s.", strings.Join(foreign, "; "))
		return
	case before != nil && before.Reason == v1alpha1.ReasonAdoptedWithForeignFields && before.ObservedGeneration == s.in.Component.Generation:
		return // It stays true, and only the adoption itself could say of what.
	}
	names := make([]string, 0, len(s.in.Report.Templates))
	for _, t := range s.in.Report.Templates {
		names = append(names, t.Name)
	}
	from, more := "no template of this cluster matches it", ""
	if len(names) > 0 {
		from = "templates: " + strings.Join(names, ", ")
	}
	if s.in.Templates.Waits != nil {
		more = waiting
	}
	s.set(v1alpha1.ConditionRendered, metav1.ConditionTrue, v1alpha1.ReasonRendered, "%d objects are in place (%s).%s",
		len(s.in.Objects), from, more)
}

// leaving are objects that are rendered and being deleted: they are there still, and not for long.
func (s *settling) leaving() []string {
	var out []string
	for i := range s.in.Objects {
		if live := s.out.Live[KeyOf(&s.in.Objects[i])]; live != nil && live.GetDeletionTimestamp() != nil {
			out = append(out, KeyOf(&s.in.Objects[i]).String())
		}
	}
	return out
}

// resources lists what was rendered and is in place.
func (s *settling) resources() {
	s.status.Resources = nil
	for i := range s.in.Objects {
		o := &s.in.Objects[i]
		live := s.out.Live[KeyOf(o)]
		if live == nil || OwnerOf(live, s.in.Component) != Ours {
			continue
		}
		// What is in place may be of before: a canary under way, a change that the cluster refuses.
		s.status.Resources = append(s.status.Resources, v1alpha1.RenderedResource{
			APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, Hash: live.GetAnnotations()[v1alpha1.AnnotationRenderedHash],
		})
	}
	s.status.Resources = limited(s.status.Resources, v1alpha1.MaxRenderedResources)
}

func limited[T any](list []T, most int) []T { return list[:min(len(list), most)] }

func reasonOf(err error) string {
	var e *render.Error
	if errors.As(err, &e) && e.Kind == "ComponentTemplate" {
		return v1alpha1.ReasonTemplateInvalid
	}
	return v1alpha1.ReasonPatchInvalid
}

// mend is who can.
func mend(err error) string {
	if reasonOf(err) == v1alpha1.ReasonTemplateInvalid {
		return "It is a template of the cluster: tell your platform team."
	}
	return "Mend that field of the Component."
}

func (s *settling) unmanaged() {
	switch {
	case s.in.Unmanaged() && s.out.Failed != nil:
		// Whoever reads True may delete the Component.
		s.set(v1alpha1.ConditionUnmanaged, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed,
			"Not all objects were let go yet: %v. It is tried again; until then they go with this Component.", s.out.Failed)
	case s.in.Unmanaged():
		s.set(v1alpha1.ConditionUnmanaged, metav1.ConditionTrue, v1alpha1.ReasonOptedOut,
			"The annotation %s is set: nothing is changed, and the objects outlive this Component.", v1alpha1.AnnotationUnmanaged)
	case meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionUnmanaged) != nil:
		s.set(v1alpha1.ConditionUnmanaged, metav1.ConditionFalse, v1alpha1.ReasonManaged, "The Component is rendered and kept so.")
	}
}

// workload tells of the copies.
func (s *settling) workload() {
	key := s.in.Workload()
	live := s.out.Live[key]
	// Somebody else's workload of that name says nothing about this Component.
	if live != nil && !s.isMine(live) {
		live = nil
	}
	var have counts
	var err error
	if live != nil {
		have, err = countsOf(live)
		have = s.in.Canary.together(have)
	}
	if live == nil || err != nil {
		s.absent(err)
		return
	}
	// How far the steps are was decided, whether or not the cluster has looked.
	s.canary()
	if !have.observed {
		// The numbers speak of an earlier spec, and so does the status until they do not; but for a workload that was just made, of which there
		// is none: what the status says is of one that is gone.
		s.set(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonNotObserved, "The cluster has not looked at the change yet.")
		if have.anew {
			s.count(have)
			s.set(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "The cluster has not looked at it yet.")
			if meta.FindStatusCondition(s.status.Conditions, v1alpha1.ConditionDegraded) != nil {
				s.set(v1alpha1.ConditionDegraded, metav1.ConditionUnknown, v1alpha1.ReasonNotObserved, "The cluster has not looked at it yet.")
			}
		}
		return
	}
	s.status.ObservedGeneration = s.in.Component.Generation
	before := s.status.UpdatedReplicas
	s.count(have)
	s.askedFor(live, before)
	s.ready(have)
	s.progress(have)
	s.degraded(have)
}

// absent is a Component without a workload of its own.
func (s *settling) absent(err error) {
	st := s.status
	st.ObservedGeneration = s.in.Component.Generation
	st.Replicas, st.ReadyReplicas, st.UpdatedReplicas, st.AvailableReplicas, st.ExpectedUpdatedReplicas = 0, 0, 0, 0, 0
	why := "There is no workload"
	if err != nil {
		why = err.Error()
	} else if c := s.in.Canary; c != nil && c.lost {
		why = strings.TrimSuffix(c.Message, ".")
	} else if c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionRendered); c != nil && c.Status == metav1.ConditionFalse {
		why = "There is no workload: see the condition Rendered"
	}
	s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotApplied, "%s.", why)
	s.set(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonNotApplied, "%s.", why)
	s.set(v1alpha1.ConditionDegraded, metav1.ConditionFalse, v1alpha1.ReasonNotApplied, "%s.", why)
}

func (s *settling) count(have counts) {
	st := s.status
	st.Replicas, st.ReadyReplicas, st.AvailableReplicas = have.replicas, have.ready, have.available
	st.UpdatedReplicas, st.ExpectedUpdatedReplicas = have.updated, have.desired
	st.Selector = Selected(have.selector)
	if c := s.in.Canary; c != nil && c.Active {
		st.ExpectedUpdatedReplicas = c.Replicas
	}
	revision := have.update
	if revision == "" {
		revision = templateRevision(have.template)
	}
	st.UpdateRevision = revision
	switch {
	case have.current != "":
		st.CurrentRevision = have.current
	case have.complete() || st.CurrentRevision == "":
		st.CurrentRevision = revision
	}
	pod := &corev1.Pod{Spec: have.template.Spec}
	st.Requests = nil
	if requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}); len(requests) > 0 {
		st.Requests = v1alpha1.ResourceAmounts(requests)
	}
}

// templateRevision names a pod template. A Deployment's own name for it is on a ReplicaSet, which nobody here reads.
func templateRevision(template *corev1.PodTemplateSpec) string {
	raw, err := json.Marshal(template)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:5])
}

// complete is true when every copy is of the current version and none of an earlier is left.
func (c counts) complete() bool {
	return c.updated >= c.desired && c.replicas <= c.updated && c.available >= c.desired
}

// canary notes how far the steps are, and what people are asked.
func (s *settling) canary() {
	c, st := s.in.Canary, s.status
	st.PendingApprovals = nil
	switch {
	case c == nil:
		st.Canary = nil
	case c.unseen:
	case c.Status.Change != "":
		now := c.Status
		if now.State == v1alpha1.CanaryCompleted {
			now.Before = ""
		}
		if st.Canary == nil || st.Canary.Change != now.Change {
			st.Canaries++
		}
		st.Canary = &now
		if c.Pending != nil {
			st.PendingApprovals = []gatev1alpha1.PendingApproval{*c.Pending}
		}
	case st.Canary != nil && st.Canary.Change != c.Change:
		// It was undone.
		st.Canary = nil
	case st.Canary != nil:
		st.Canary.State, st.Canary.Since, st.Canary.Before = v1alpha1.CanaryCompleted, nil, ""
	}
}

func (s *settling) ready(have counts) {
	if have.desired == 0 {
		s.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero, "No copy is asked for here, and none serves.")
		return
	}
	if have.available >= have.desired {
		s.set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReplicasReady, "%s.", copies(have.available, have.desired, "serve"))
		return
	}
	count := copies(have.available, have.desired, "serve")
	if reason, message, known := s.inTheWay(have); known {
		s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, "%s. %s", count, message)
		return
	}
	s.set(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReplicasNotReady, "%s; the others are starting.", count)
}

// inTheWay is what keeps copies from serving, in words for whoever wrote the program; known is false where nothing is known to be wrong.
func (s *settling) inTheWay(have counts) (reason, message string, known bool) {
	if have.refused != "" {
		return v1alpha1.ReasonPodsRefused, fmt.Sprintf("The cluster makes no more%s. "+
			"Ask for less in spec.resources or spec.replicas, or ask your platform team.", because(have.refused)), true
	}
	return Explain(s.in.Component, s.out.Pods)
}

func copies(have, of int32, do string) string {
	return fmt.Sprintf("%d of %d copies %s", have, of, do)
}
