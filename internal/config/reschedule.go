package config

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Reschedule is the section of the controller that moves replicas which cannot run. Members are asked for their room as fedHPA.estimators
// says.
type Reschedule struct {
	Controller `json:",inline"`
	// Namespaces whose workloads are moved; none means all.
	Namespaces []string `json:"namespaces"`
	// UnschedulableSeconds is how long a pod must have found no node before its replica moves.
	UnschedulableSeconds int32 `json:"unschedulableSeconds"`
	// AutoscalerSeconds is how long a pod is left where an autoscaler of nodes said that it makes a node for it.
	AutoscalerSeconds int32 `json:"autoscalerSeconds"`
	// ComeUpSeconds is how long moved replicas have to find a node before they are put back.
	ComeUpSeconds int32 `json:"comeUpSeconds"`
	// CoolDownSeconds lies between two moves of a workload; it doubles with each that did not help, up to CoolDownMostSeconds.
	CoolDownSeconds     int32 `json:"coolDownSeconds"`
	CoolDownMostSeconds int32 `json:"coolDownMostSeconds"`
	// MaxMovesPerMinute is how many replicas, of all workloads, leave or enter a cluster in a minute.
	MaxMovesPerMinute int32 `json:"maxMovesPerMinute"`
}

// Covers reports whether workloads of a namespace are moved.
func (r Reschedule) Covers(namespace string) bool {
	return len(r.Namespaces) == 0 || slices.Contains(r.Namespaces, namespace)
}

func defaultReschedule() Reschedule {
	return Reschedule{
		Controller: Controller{Mode: Enabled, Concurrency: 4}, Namespaces: []string{}, UnschedulableSeconds: 300, AutoscalerSeconds: 900,
		ComeUpSeconds: 30, CoolDownSeconds: 60, CoolDownMostSeconds: 3600, MaxMovesPerMinute: 100,
	}
}

func (r Reschedule) validate(path *field.Path) field.ErrorList {
	errs := r.Controller.validate(path)
	for i, namespace := range r.Namespaces {
		for _, problem := range validation.IsDNS1123Label(namespace) {
			errs = append(errs, field.Invalid(path.Child("namespaces").Index(i), namespace, problem))
		}
	}
	within := func(name string, value, least, most int32, words string) {
		if value < least || value > most {
			errs = append(errs, field.Invalid(path.Child(name), value, words))
		}
	}
	within("unschedulableSeconds", r.UnschedulableSeconds, 5, 86400, "must be between 5 and 86400")
	within("autoscalerSeconds", r.AutoscalerSeconds, 0, 86400, "must be between 0 and 86400")
	within("comeUpSeconds", r.ComeUpSeconds, 5, 600, "must be between 5 and 600")
	within("coolDownSeconds", r.CoolDownSeconds, 5, 86400, "must be between 5 and 86400")
	within("coolDownMostSeconds", r.CoolDownMostSeconds, r.CoolDownSeconds, 86400, "must be between coolDownSeconds and 86400")
	within("maxMovesPerMinute", r.MaxMovesPerMinute, 1, 10000, "must be between 1 and 10000")
	return errs
}
