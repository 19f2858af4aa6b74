package template

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/argosy-dev/argosy/estimator/wire"
)

// Live is a pod of the workload in the member, with the template it was made from there, where that is known (a Deployment's, by its
// ReplicaSet).
type Live struct {
	Pod *corev1.Pod
	// Made may be nil; of it names, labels, selectors and tolerations are looked at.
	Made *corev1.PodTemplateSpec
}

// ownLabels differ from pod to pod or revision to revision of a workload: they are no addition of the member's.
var ownLabels = sets.New(appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel, batchv1.JobCompletionIndexAnnotation,
	batchv1.ControllerUidLabel, batchv1.JobNameLabel,
	"controller-uid", "job-name", "pod-template-generation", "apps.kruise.io/cloneset-instance-id")

var revisionLabels = []string{appsv1.DefaultDeploymentUniqueLabelKey, appsv1.ControllerRevisionHashLabelKey}

// Overlay lays what a member adds to the workload's pods - webhooks' containers, labels, selectors - over the template. The template's own
// rules stand: a live pod may be of an older one, and never loosens a rule. sure says that the live pod is of this template and the
// additions are additions; otherwise some of them may be what the template has given up.
func Overlay(template *corev1.Pod, live Live) (pod *corev1.Pod, sure bool) {
	pod = template.DeepCopy()
	o := overlay{pod: pod, live: live.Pod, made: live.Made}
	same := madeFrom(template, live.Pod)
	if same {
		o.adoptRevision()
	}
	o.labels()
	guessed := o.containers()
	o.rules()
	o.requests()
	return pod, same && !guessed
}

// Choose returns the live pod to lay over the template: the newest that was made from it, else the newest of all. ok is false where there
// is none.
func Choose(template *corev1.Pod, live []*corev1.Pod) (chosen *corev1.Pod, ok bool) {
	living := slices.DeleteFunc(slices.Clone(live), func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	slices.SortStableFunc(living, func(a, b *corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	if len(living) == 0 {
		return nil, false
	}
	if at := slices.IndexFunc(living, func(pod *corev1.Pod) bool { return madeFrom(template, pod) }); at >= 0 {
		return living[at], true
	}
	return living[0], true
}

// FromLive is the pod where the template is not known: the live pod, and what the request says of its template. What only one of them
// demands is demanded; what only the live pod tolerates is not tolerated, for the template may have given it up.
func FromLive(live *corev1.Pod, requirements wire.Requirements) *corev1.Pod {
	pod := live.DeepCopy()
	pod.Spec.NodeName, pod.Status = "", corev1.PodStatus{}
	pod.Spec.Tolerations = requirements.Tolerations
	for key, value := range requirements.NodeSelector {
		if pod.Spec.NodeSelector == nil {
			pod.Spec.NodeSelector = map[string]string{}
		}
		pod.Spec.NodeSelector[key] = value
	}
	if requirements.NodeAffinity != nil {
		if pod.Spec.Affinity == nil {
			pod.Spec.Affinity = &corev1.Affinity{}
		}
		if pod.Spec.Affinity.NodeAffinity == nil {
			pod.Spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
		}
		required := &pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		*required = both(*required, requirements.NodeAffinity)
	}
	if requirements.PriorityClassName != "" {
		pod.Spec.PriorityClassName, pod.Spec.Priority = requirements.PriorityClassName, nil
	}
	return pod
}

// both selects the nodes that both select: terms are alternatives, so each of one goes with each of the other. A term without expressions
// selects no node.
func both(a, b *corev1.NodeSelector) *corev1.NodeSelector {
	if a == nil {
		return b
	}
	out := &corev1.NodeSelector{}
	empty := func(term corev1.NodeSelectorTerm) bool { return len(term.MatchExpressions)+len(term.MatchFields) == 0 }
	for _, one := range a.NodeSelectorTerms {
		for _, other := range b.NodeSelectorTerms {
			if !empty(one) && !empty(other) {
				out.NodeSelectorTerms = append(out.NodeSelectorTerms, corev1.NodeSelectorTerm{
					MatchExpressions: slices.Concat(one.MatchExpressions, other.MatchExpressions),
					MatchFields:      slices.Concat(one.MatchFields, other.MatchFields)})
			}
		}
	}
	return out
}

type overlay struct {
	pod, live *corev1.Pod
	made      *corev1.PodTemplateSpec
}

// adoptRevision gives the pod the live pod's revision: the labels, and the rules into which the API server has merged them
// (matchLabelKeys).
func (o *overlay) adoptRevision() {
	for _, key := range revisionLabels {
		if value, has := o.live.Labels[key]; has {
			setLabel(o.pod, key, value)
		}
	}
	o.pod.Spec.TopologySpreadConstraints = o.live.Spec.DeepCopy().TopologySpreadConstraints
	mine, theirs := o.pod.Spec.Affinity, o.live.Spec.DeepCopy().Affinity
	if mine != nil && theirs != nil {
		mine.PodAffinity, mine.PodAntiAffinity = theirs.PodAffinity, theirs.PodAntiAffinity
	}
}

func setLabel(pod *corev1.Pod, key, value string) {
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[key] = value
}

func (o *overlay) labels() {
	madeLabels := map[string]string{}
	if o.made != nil {
		madeLabels = o.made.Labels
	}
	for key, value := range o.live.Labels {
		_, has := o.pod.Labels[key]
		_, made := madeLabels[key]
		if !has && !made && !ownLabels.Has(key) && !slices.Contains(revisionLabels, key) {
			setLabel(o.pod, key, value)
		}
	}
	if o.pod.Annotations == nil {
		o.pod.Annotations = map[string]string{}
	}
	for key, value := range o.live.Annotations {
		if _, has := o.pod.Annotations[key]; !has {
			o.pod.Annotations[key] = value
		}
	}
}

// containers adds those that only the live pod has, and tells whether one may be the workload's own of before. The member's come first
// among the init containers: a sidecar that runs beside all of them takes the most.
func (o *overlay) containers() (guessed bool) {
	var made corev1.PodSpec
	if o.made != nil {
		made = o.made.Spec
	}
	more := func(live, mine, made []corev1.Container) []corev1.Container {
		var added []corev1.Container
		for i := range live {
			if named(mine, live[i].Name) == nil && named(made, live[i].Name) == nil {
				added = append(added, *live[i].DeepCopy())
				guessed = guessed || o.made == nil
			}
		}
		return added
	}
	spec := &o.pod.Spec
	spec.Containers = append(spec.Containers, more(o.live.Spec.Containers, spec.Containers, made.Containers)...)
	spec.InitContainers = append(more(o.live.Spec.InitContainers, spec.InitContainers, made.InitContainers), spec.InitContainers...)
	return guessed
}

func named(list []corev1.Container, name string) *corev1.Container {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// rules adds what narrows the choice of nodes where the template says nothing.
func (o *overlay) rules() {
	mine, live, made := &o.pod.Spec, o.live.Spec.DeepCopy(), corev1.PodSpec{}
	if o.made != nil {
		made = o.made.Spec
		o.tolerations()
	}
	for key, value := range live.NodeSelector {
		_, has := mine.NodeSelector[key]
		if _, before := made.NodeSelector[key]; has || before {
			continue
		}
		if mine.NodeSelector == nil {
			mine.NodeSelector = map[string]string{}
		}
		mine.NodeSelector[key] = value
	}
	if mine.PriorityClassName == "" && made.PriorityClassName == "" && live.PriorityClassName != "" {
		mine.PriorityClassName, mine.Priority, mine.PreemptionPolicy = live.PriorityClassName, live.Priority, live.PreemptionPolicy
	}
	if mine.RuntimeClassName == nil && made.RuntimeClassName == nil {
		mine.RuntimeClassName, mine.Overhead = live.RuntimeClassName, live.Overhead
	}
	if byDefault(mine.SchedulerName) && byDefault(made.SchedulerName) {
		mine.SchedulerName = live.SchedulerName
	}
}

func byDefault(scheduler string) bool {
	return scheduler == "" || scheduler == corev1.DefaultSchedulerName
}

// tolerations widen the choice: they are added only where it is known that the workload itself never had them.
func (o *overlay) tolerations() {
	own := slices.Concat(o.made.Spec.Tolerations, o.pod.Spec.Tolerations)
	for _, toleration := range o.live.Spec.Tolerations {
		if !slices.ContainsFunc(own, func(t corev1.Toleration) bool { return equality.Semantic.DeepEqual(t, toleration) }) {
			o.pod.Spec.Tolerations = append(o.pod.Spec.Tolerations, toleration)
		}
	}
}

// requests are the larger of both: an OverridePolicy, or the member's own autoscaler of requests, may have raised them.
func (o *overlay) requests() {
	raise := func(mine, live []corev1.Container) {
		for i := range mine {
			if theirs := named(live, mine[i].Name); theirs != nil {
				larger(&mine[i].Resources.Requests, theirs.Resources.Requests)
				larger(&mine[i].Resources.Limits, theirs.Resources.Limits)
			}
		}
	}
	raise(o.pod.Spec.Containers, o.live.Spec.Containers)
	raise(o.pod.Spec.InitContainers, o.live.Spec.InitContainers)
	if o.live.Spec.Resources != nil {
		if o.pod.Spec.Resources == nil {
			o.pod.Spec.Resources = &corev1.ResourceRequirements{}
		}
		larger(&o.pod.Spec.Resources.Requests, o.live.Spec.Resources.Requests)
		larger(&o.pod.Spec.Resources.Limits, o.live.Spec.Resources.Limits)
	}
}

func larger(list *corev1.ResourceList, other corev1.ResourceList) {
	for name, quantity := range other {
		if have, ok := (*list)[name]; ok && have.Cmp(quantity) >= 0 {
			continue
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = quantity.DeepCopy()
	}
}

// madeFrom: the template's containers are in the pod, unchanged, and so are its rules of placement; whatever else the pod has was added in
// the member, or is of an older template.
func madeFrom(template, pod *corev1.Pod) bool {
	if len(template.Spec.SchedulingGates) > 0 {
		return false // the live pod's were taken off it
	}
	for i := range template.Spec.Containers {
		want := &template.Spec.Containers[i]
		have := named(pod.Spec.Containers, want.Name)
		if have == nil || have.Image != want.Image || !covers(have.Resources.Requests, want.Resources.Requests) ||
			!equality.Semantic.DeepEqual(hostPorts(have), hostPorts(want)) {
			return false
		}
	}
	for key, value := range template.Spec.NodeSelector {
		if pod.Spec.NodeSelector[key] != value {
			return false
		}
	}
	return equality.Semantic.DeepEqual(rulesOf(template), rulesOf(pod))
}

func hostPorts(container *corev1.Container) []int32 {
	var ports []int32
	for _, port := range container.Ports {
		if port.HostPort > 0 {
			ports = append(ports, port.HostPort)
		}
	}
	return ports
}

// rules are what a pod's template says of other pods and of nodes, as it is before the API server merges label keys into selectors.
type rules struct {
	spread   []corev1.TopologySpreadConstraint
	terms    []corev1.PodAffinityTerm
	affinity *corev1.NodeSelector
}

func rulesOf(pod *corev1.Pod) rules {
	pod = pod.DeepCopy()
	var r rules
	for _, constraint := range pod.Spec.TopologySpreadConstraints {
		unmerge(constraint.LabelSelector, constraint.MatchLabelKeys)
		r.spread = append(r.spread, constraint)
	}
	for _, term := range requiredTerms(pod) {
		unmerge(term.LabelSelector, append(slices.Clone(term.MatchLabelKeys), term.MismatchLabelKeys...))
		r.terms = append(r.terms, *term)
	}
	if pod.Spec.Affinity != nil && pod.Spec.Affinity.NodeAffinity != nil {
		r.affinity = pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return r
}

func unmerge(selector *metav1.LabelSelector, keys []string) {
	if selector != nil {
		selector.MatchExpressions = slices.DeleteFunc(selector.MatchExpressions,
			func(e metav1.LabelSelectorRequirement) bool { return slices.Contains(keys, e.Key) })
	}
}

func covers(have, want corev1.ResourceList) bool {
	for name, quantity := range want {
		got, ok := have[name]
		if !ok || got.Cmp(quantity) != 0 {
			return false
		}
	}
	return true
}
