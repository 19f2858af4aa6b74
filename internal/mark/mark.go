// Package mark names the labels and annotations on templates and member objects by which Argosy's parts, Karmada and
// users meet. It decides nothing.
package mark

const (
	// RetainReplicas is Karmada's label, value "true": the member's replicas belong to the member (an HPA there).
	// Karmada itself honours it for apps/v1 Deployment only; our interpreter does for every kind it knows.
	RetainReplicas = "resourcetemplate.karmada.io/retain-replicas"

	// TemplateGeneration is Karmada's annotation on a member's object: the template's generation it was made from.
	TemplateGeneration = "resourcetemplate.karmada.io/generation"

	// WorkNamespace is Karmada's annotation on a member's object: the execution namespace of its Work.
	WorkNamespace = "work.karmada.io/namespace"
	// ExecutionNamespacePrefix plus the cluster's name is that namespace.
	ExecutionNamespacePrefix = "karmada-es-"

	// CreatedWith is an annotation on a member's object while all its pods are of one template: the hash of the template it was
	// created with. The interpreter writes it where a partition holds pods back, and takes it off with the first other template.
	CreatedWith = "interpreter.argosy.dev/created-with"

	// TemplateHash is an annotation on a member's manifest while a partition holds pods back: the hash of the pod template as the
	// control plane has it, which an OverridePolicy or a member's defaults change afterwards.
	TemplateHash = "interpreter.argosy.dev/template"

	// Retain is a label or annotation on a template. Its one value so far is RetainRollout.
	Retain = "interpreter.argosy.dev/retain"
	// RetainRollout leaves partition and paused to the member: a rollout tool there owns them.
	RetainRollout = "rollout"

	// RescheduleDisabled, value "true" on a template or its policy, leaves its replicas where the scheduler put them.
	RescheduleDisabled = "reschedule.argosy.dev/disabled"
	// RescheduleMoved on a ResourceBinding is what rescheduling moved last, and how long it leaves the binding in peace.
	RescheduleMoved = "reschedule.argosy.dev/moved"
	// RescheduleSource is the source of its events.
	RescheduleSource = "argosy-reschedule"
)
