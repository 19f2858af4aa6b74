package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/hook"
)

// Severity of a finding.
type Severity string

const (
	// Problem keeps something from working now.
	Problem Severity = "Problem"
	// Warning will, or may.
	Warning Severity = "Warning"
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`
	Object   string   `json:"object"`
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy"`
}

// Facts are what gather read.
type Facts struct {
	Families       []*family.Family
	Registrations  []configv1alpha1.ResourceInterpreterWebhookConfiguration
	Customizations []configv1alpha1.ResourceInterpreterCustomization
	CRDs           []apiextensionsv1.CustomResourceDefinition
	// Endpoints by webhook name, of our own registration.
	Endpoints map[string]Endpoint
	Clashes   []Clash
	// Silent are the members that cannot be asked.
	Silent []Silent
	// Descheduler is nil where it never ran, or meets no FedHPA.
	Descheduler *Descheduler
	// Works is the registration of the admission of Works; nil when there is none.
	Works *admissionregistrationv1.MutatingWebhookConfiguration
	// Workloads are the templates of our kinds that have a status.
	Workloads    []*unstructured.Unstructured
	Autoscalers  []autoscalingv2.HorizontalPodAutoscaler
	Overrides    []Overrides
	Propagations []Propagation
	// Taints are what taints members by their conditions.
	Taints []policyv1alpha1.ClusterTaintPolicy
	// Hosting is what members do with kinds of ours.
	Hosting Hosting
	// Preferred is the version of each kind the plane serves in which Karmada watches it.
	Preferred map[schema.GroupKind]string
}

// Clash is a name two workloads of one kind and different groups bear: Karmada gives both one ResourceBinding.
type Clash struct {
	Namespace, Name, Kind string
	Groups                []string
	// Binding's name, and the group it belongs to; empty when there is none.
	Binding, Owner string
}

// check is one line of the list below.
type check struct {
	name string
	run  func(Facts, time.Time) []Finding
}

// checks is every check, in the order of their output.
var checks = []check{
	{"registration", registration},
	{"works", works},
	{"timeout", timeouts},
	{"second-webhook", secondWebhooks},
	{"customization", customizations},
	{"components", components},
	{"certificate", certificates},
	{"status-subresource", statusSubresources},
	{"binding-name", bindingNames},
	{"descheduler", deschedulers},
	{"failover", failovers},
	{"rollout", rollouts},
	{"silent-member", silent},
	{"image-override", imageOverrides},
	{"autoscaler", autoscalers},
	{"selector", selectors},
	{"member-manager", memberManagers},
	{"vm-deletion", deletions},
}

// Checks are the names of all checks.
func Checks() []string {
	var out []string
	for _, c := range checks {
		out = append(out, c.name)
	}
	return out
}

// Diagnose runs every check.
func Diagnose(facts Facts, now time.Time) []Finding {
	var out []Finding
	for _, c := range checks {
		for _, finding := range c.run(facts, now) {
			finding.Check = c.name
			out = append(out, finding)
		}
	}
	return out
}

// question is one kind and operation the families answer.
type question struct {
	kind      schema.GroupVersionKind
	operation configv1alpha1.InterpreterOperation
}

func (q question) matches(webhook *configv1alpha1.ResourceInterpreterWebhook) bool {
	return slices.ContainsFunc(webhook.Rules, func(rule configv1alpha1.RuleWithOperations) bool {
		return listed(rule.Operations, q.operation) && listed(rule.APIGroups, q.kind.Group) && listed(rule.APIVersions, q.kind.Version) &&
			listed(rule.Kinds, q.kind.Kind)
	})
}

// listed tells whether a list of a rule has the word or the wildcard, as Karmada reads it (pkg/util/interpreter/matcher.go, whose package
// brings an interpreter of Lua along; a test compares the two).
func listed[T ~string](list []T, word T) bool {
	return slices.ContainsFunc(list, func(one T) bool { return one == "*" || one == word })
}

func questions(families []*family.Family) []question {
	var out []question
	for _, f := range families {
		for _, kind := range f.Kinds {
			for _, operation := range f.Operations() {
				out = append(out, question{kind, operation})
			}
		}
	}
	return out
}

func ours(r *configv1alpha1.ResourceInterpreterWebhookConfiguration) bool {
	return r.Name == hook.RegistrationName
}

// each visits every registered webhook.
func (f Facts) each(visit func(*configv1alpha1.ResourceInterpreterWebhookConfiguration, *configv1alpha1.ResourceInterpreterWebhook)) {
	for i := range f.Registrations {
		for j := range f.Registrations[i].Webhooks {
			visit(&f.Registrations[i], &f.Registrations[i].Webhooks[j])
		}
	}
}

// registration: Karmada asks us everything we answer.
func registration(f Facts, _ time.Time) []Finding {
	object := "ResourceInterpreterWebhookConfiguration/" + hook.RegistrationName
	remedy := "run `argosyctl install`, or apply deploy/webhook/interpreter.yaml of this version"
	if !slices.ContainsFunc(f.Registrations, func(r configv1alpha1.ResourceInterpreterWebhookConfiguration) bool { return ours(&r) }) {
		return []Finding{{Severity: Problem, Object: object, Message: "it does not exist: Karmada never asks Argosy", Remedy: remedy}}
	}
	missing := map[schema.GroupVersionKind][]string{}
	told := map[string]bool{}
	for _, q := range questions(f.Families) {
		asked := false
		f.each(func(r *configv1alpha1.ResourceInterpreterWebhookConfiguration, w *configv1alpha1.ResourceInterpreterWebhook) {
			asked = asked || ours(r) && q.matches(w)
		})
		if !asked {
			missing[q.kind] = append(missing[q.kind], string(q.operation))
		}
	}
	var out []Finding
	for kind, operations := range missing {
		// A kind is registered in all its versions: what lacks in one lacks in the others too, and is told once.
		what := strings.Join(operations, ", ") + " of " + kind.GroupKind().String()
		if told[what] {
			continue
		}
		told[what] = true
		out = append(out, Finding{Severity: Problem, Object: object,
			Message: "it does not list " + what + " in every version: Karmada's own rules answer them", Remedy: remedy})
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.Message, b.Message) })
	return out
}

// works: without the admission of Works members keep careful numbers instead of exact ones.
func works(f Facts, _ time.Time) []Finding {
	object := "MutatingWebhookConfiguration/" + hook.DispatchRegistrationName
	remedy := "run `argosyctl install`, or apply deploy/webhook/dispatch.yaml of this version"
	if f.Works == nil {
		return []Finding{
			{
				Severity: Problem, Object: object,
				Message: "it does not exist: what means the fleet (partition, maxUnavailable) reaches members as a careful value and not as their " +
					"exact part", Remedy: remedy,
			},
		}
	}
	var out []Finding
	for _, w := range f.Works.Webhooks {
		if w.FailurePolicy != nil && *w.FailurePolicy == admissionregistrationv1.Ignore {
			out = append(out, Finding{
				Severity: Warning, Object: object,
				Message: "webhook " + w.Name + " is ignored when it fails: a member that was written meanwhile keeps a careful value for good",
				Remedy:  "set failurePolicy: Fail",
			})
		}
		if len(w.MatchConditions) == 0 {
			out = append(out, Finding{
				Severity: Warning, Object: object,
				Message: "webhook " + w.Name + " has no matchConditions: every Work waits for it, also one that is being deleted", Remedy: remedy,
			})
		}
	}
	return out
}

// timeouts: without one Karmada waits for ever, and its worker with it.
func timeouts(f Facts, _ time.Time) []Finding {
	var out []Finding
	f.each(func(r *configv1alpha1.ResourceInterpreterWebhookConfiguration, w *configv1alpha1.ResourceInterpreterWebhook) {
		if w.TimeoutSeconds != nil {
			return
		}
		severity := Warning
		if ours(r) {
			severity = Problem
		}
		out = append(out, Finding{Severity: severity, Object: "ResourceInterpreterWebhookConfiguration/" + r.Name,
			Message: fmt.Sprintf("webhook %s has no timeoutSeconds: Karmada sets none, so a webhook that hangs stops its controllers", w.Name),
			Remedy:  "set timeoutSeconds, such as 5"})
	})
	return out
}

// secondWebhooks: of several that match, Karmada asks the first by UID alone, which no one chose.
func secondWebhooks(f Facts, _ time.Time) []Finding {
	var out []Finding
	f.each(func(r *configv1alpha1.ResourceInterpreterWebhookConfiguration, w *configv1alpha1.ResourceInterpreterWebhook) {
		if ours(r) {
			return
		}
		var shared []string
		for _, q := range questions(f.Families) {
			if q.matches(w) {
				shared = append(shared, string(q.operation)+" of "+kindName(q.kind))
			}
		}
		if len(shared) > 0 {
			out = append(out, Finding{Severity: Problem, Object: "ResourceInterpreterWebhookConfiguration/" + r.Name,
				Message: fmt.Sprintf("webhook %s answers %s too; Karmada asks only one of the two", w.Name, abbreviated(shared)),
				Remedy:  "take these kinds out of its rules, or delete it"})
		}
	})
	return out
}

// customizations are asked before any webhook.
func customizations(f Facts, _ time.Time) []Finding {
	catalog := interpreter.NewCatalog(f.Families)
	var out []Finding
	for i := range f.Customizations {
		c := &f.Customizations[i]
		operations := hook.Overridden(catalog, c)
		if len(operations) == 0 {
			continue
		}
		words := make([]string, len(operations))
		for i, operation := range operations {
			words[i] = string(operation)
		}
		out = append(out, Finding{Severity: Problem, Object: "ResourceInterpreterCustomization/" + c.Name,
			Message: fmt.Sprintf("it takes %s of %s %s from Argosy: Karmada asks customizations first", strings.Join(words, ", "),
				c.Spec.Target.APIVersion, c.Spec.Target.Kind),
			Remedy: "kubectl delete resourceinterpretercustomization " + c.Name + ", unless it is meant"})
	}
	return out
}

// components: with its gate MultiplePodTemplatesScheduling Karmada divides no replicas of a kind whose components somebody answers
// (docs/decisions/0100). An earlier Argosy registered that question too.
func components(f Facts, _ time.Time) []Finding {
	const operation = configv1alpha1.InterpreterOperationInterpretComponent
	found := func(object, remedy string, kinds []string) []Finding {
		if len(kinds) == 0 {
			return nil
		}
		return []Finding{{Severity: Warning, Object: object, Remedy: remedy, Message: fmt.Sprintf(
			"it answers InterpretComponent of %s: with the gate MultiplePodTemplatesScheduling their replicas are not divided", abbreviated(kinds))}}
	}
	divided := func(matches func(schema.GroupVersionKind) bool) []string {
		var out []string
		for _, family := range f.Families {
			for _, kind := range family.Kinds {
				if family.ReviseReplica != nil && matches(kind) {
					out = append(out, kindName(kind))
				}
			}
		}
		return out
	}
	var out []Finding
	for i := range f.Registrations {
		r := &f.Registrations[i]
		remedy := "take this operation out of its rules"
		if ours(r) {
			remedy = "run `argosyctl install`, or apply deploy/webhook/interpreter.yaml of this version"
		}
		out = append(out, found("ResourceInterpreterWebhookConfiguration/"+r.Name, remedy, divided(func(kind schema.GroupVersionKind) bool {
			return slices.ContainsFunc(r.Webhooks, func(w configv1alpha1.ResourceInterpreterWebhook) bool {
				// One that revises them as well is a second webhook, and said to be.
				second := !ours(r) && question{kind, configv1alpha1.InterpreterOperationReviseReplica}.matches(&w)
				return question{kind, operation}.matches(&w) && !second
			})
		}))...)
	}
	for i := range f.Customizations {
		c := &f.Customizations[i]
		if c.Spec.Customizations.ComponentResource == nil {
			continue
		}
		out = append(out, found("ResourceInterpreterCustomization/"+c.Name, "take componentResource out of it",
			divided(func(kind schema.GroupVersionKind) bool {
				return c.Spec.Target.APIVersion == kind.GroupVersion().String() && c.Spec.Target.Kind == kind.Kind
			}))...)
	}
	return out
}

// statusSubresources: Karmada writes aggregated status through the subresource; without it the write is lost.
func statusSubresources(f Facts, _ time.Time) []Finding {
	crds := map[schema.GroupKind]*apiextensionsv1.CustomResourceDefinition{}
	for i := range f.CRDs {
		crd := &f.CRDs[i]
		crds[schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}] = crd
	}
	var out []Finding
	for kind, family := range interpreter.NewCatalog(f.Families) {
		crd := crds[kind]
		if crd == nil || family.AggregateStatus == nil {
			continue
		}
		for _, version := range crd.Spec.Versions {
			if version.Served && (version.Subresources == nil || version.Subresources.Status == nil) {
				out = append(out, Finding{Severity: Problem, Object: "CustomResourceDefinition/" + crd.Name,
					Message: "version " + version.Name + " has no status subresource in karmada-apiserver: members' status is never aggregated",
					Remedy:  "apply the same CustomResourceDefinition as in the members, with subresources.status"})
			}
		}
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.Object+a.Message, b.Object+b.Message) })
	return out
}

// bindingNames hold no group.
func bindingNames(f Facts, _ time.Time) []Finding {
	var out []Finding
	for _, c := range f.Clashes {
		owner := "no ResourceBinding exists yet: whichever comes first gets it"
		if c.Binding != "" && c.Owner != "" {
			owner = "it belongs to the one of " + c.Owner + ", the other is not propagated"
		}
		out = append(out, Finding{Severity: Problem, Object: c.Kind + "/" + c.Namespace + "/" + c.Name,
			Message: fmt.Sprintf("groups %s have one of this name, and Karmada one ResourceBinding, %s, for both: %s",
				strings.Join(c.Groups, " and "), c.Binding, owner),
			Remedy: "rename one of them"})
	}
	return out
}

func kindName(kind schema.GroupVersionKind) string {
	return kind.GroupVersion().String() + " " + kind.Kind
}

// abbreviated names a few of many.
func abbreviated(items []string) string {
	const some = 3
	if len(items) <= some {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:some], ", "), len(items)-some)
}
