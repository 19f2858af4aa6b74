package config

import (
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// EstimatorKind is the kind of argosy-estimator's file.
const EstimatorKind = "EstimatorConfiguration"

// Estimator is the configuration of argosy-estimator. Port and certificates of the service are flags, named as karmada-scheduler-estimator
// names them.
type Estimator struct {
	Header `json:",inline"`

	// MetricsBindAddress serves /metrics: host:port, or "0" for none.
	MetricsBindAddress string `json:"metricsBindAddress"`
	// MetricsSecure serves them over TLS, to whoever shows a token of karmada-apiserver and may "get" /metrics there.
	MetricsSecure bool `json:"metricsSecure"`
	// HealthBindAddress serves /healthz and /readyz: host:port, or "0" for none.
	HealthBindAddress string `json:"healthBindAddress"`
	// FollowClusters joins every Cluster of karmada-apiserver: Enabled or Disabled.
	FollowClusters string `json:"followClusters"`
	// ClusterSelector narrows that to Clusters with these labels ("region=eu"), so that several instances share a fleet, each with a
	// registration.host of its own. Empty means all.
	ClusterSelector string `json:"clusterSelector"`
	// SchedulerConfiguration is the KubeSchedulerConfiguration file of the members that name none; empty means kube-scheduler's own defaults.
	SchedulerConfiguration string `json:"schedulerConfiguration"`
	// Members that are reached by a kubeconfig, or whose scheduler has a configuration of its own.
	Members []EstimatorMember `json:"members"`
	// WorkloadKinds are kinds of yours whose pod template is not at spec.template. argosy-estimator must be bound to a role that may get them.
	WorkloadKinds []WorkloadKind `json:"workloadKinds"`
	// Staleness says how long a silent member is answered for.
	Staleness Staleness `json:"staleness"`
	// PodBudget is how many of the members' pods this process has memory for, 0 for no such number. With more it goes on, and an alert says
	// so: give it more memory, or share the fleet by clusterSelector.
	PodBudget int32 `json:"podBudget"`
	// Registration lets karmada-scheduler find this process.
	Registration Registration `json:"registration"`
	// DrainSeconds is how long a process that is told to stop still answers, while it says that it is not ready: Services learn of that with a
	// delay.
	DrainSeconds int32 `json:"drainSeconds"`
}

// Registration keeps a Service of karmada-apiserver for each member: where karmada-scheduler looks for its estimator.
type Registration struct {
	// Mode is Enabled or Disabled: the Services are then somebody else's business.
	Mode string `json:"mode"`
	// ServiceNamespace and ServicePrefix are karmada-scheduler's flags --scheduler-estimator-service-namespace and -prefix. Rights are given
	// for karmada-system.
	ServiceNamespace string `json:"serviceNamespace"`
	ServicePrefix    string `json:"servicePrefix"`
	// Host is what karmada-scheduler dials, and a name in the certificate of this process.
	Host string `json:"host"`
	// Port is dialled there; it is also the Services', karmada-scheduler's --scheduler-estimator-port.
	Port int32 `json:"port"`
	// Expected are members that have not joined yet. karmada-scheduler dials the moment it sees a Cluster and waits ten seconds for a Service
	// that comes after it: a member named here is estimated from its first moment, any other about ten seconds later.
	Expected []string `json:"expected"`
}

// EstimatorMember is what one member needs said.
type EstimatorMember struct {
	// Name of the member's Cluster.
	Name string `json:"name"`
	// Kubeconfig file; empty means the Cluster's secret.
	Kubeconfig string `json:"kubeconfig"`
	// SchedulerConfiguration is the member's KubeSchedulerConfiguration file.
	SchedulerConfiguration string `json:"schedulerConfiguration"`
}

// WorkloadKind says where objects of a kind keep their pod template.
type WorkloadKind struct {
	// Group of the kind, empty for the core group.
	Group string `json:"group"`
	// Kind as objects spell it.
	Kind string `json:"kind"`
	// PodTemplatePaths are dotted paths, of which the first that holds a pod template counts: spec.workload.template.
	PodTemplatePaths []string `json:"podTemplatePaths"`
}

// Staleness of a member's mirror.
type Staleness struct {
	// ProbeSeconds lies between two probes of a member.
	ProbeSeconds int32 `json:"probeSeconds"`
	// ProbeTimeoutSeconds is how long a probe may take.
	ProbeTimeoutSeconds int32 `json:"probeTimeoutSeconds"`
	// FreshSeconds after its last sign of life a member is reported stale.
	FreshSeconds int32 `json:"freshSeconds"`
	// KeepSeconds after its last sign of life a member is no longer answered for.
	KeepSeconds int32 `json:"keepSeconds"`
}

// LoadEstimator reads the file at path over the defaults; an empty path means the defaults.
func LoadEstimator(path string) (*Estimator, error) {
	e := DefaultEstimator()
	if err := load(path, e); err != nil {
		return nil, err
	}
	return e, nil
}

// DefaultEstimator is the configuration without a file.
func DefaultEstimator() *Estimator {
	return &Estimator{
		Header:             Header{APIVersion: APIVersion, Kind: EstimatorKind},
		MetricsBindAddress: ":8080",
		HealthBindAddress:  ":10351",
		FollowClusters:     Enabled,
		Staleness:          Staleness{ProbeSeconds: 5, ProbeTimeoutSeconds: 3, FreshSeconds: 15, KeepSeconds: 120},
		Registration: Registration{
			Mode: Disabled, ServiceNamespace: "karmada-system", ServicePrefix: "karmada-scheduler-estimator", Port: 10352,
		},
		PodBudget:    50000,
		DrainSeconds: 5,
	}
}

// Validate names every field that cannot stand.
func (e *Estimator) Validate() field.ErrorList {
	errs := e.validate(EstimatorKind)
	errs = append(errs, validateMode(e.FollowClusters, field.NewPath("followClusters"))...)
	if _, err := labels.Parse(e.ClusterSelector); err != nil {
		errs = append(errs, field.Invalid(field.NewPath("clusterSelector"), e.ClusterSelector, err.Error()))
	}
	errs = append(errs, validateAddress(e.MetricsBindAddress, field.NewPath("metricsBindAddress"))...)
	errs = append(errs, validateAddress(e.HealthBindAddress, field.NewPath("healthBindAddress"))...)
	seen := map[string]bool{}
	for i, member := range e.Members {
		path := field.NewPath("members").Index(i)
		for _, problem := range validation.IsDNS1123Subdomain(member.Name) {
			errs = append(errs, field.Invalid(path.Child("name"), member.Name, problem))
		}
		if seen[member.Name] {
			errs = append(errs, field.Duplicate(path.Child("name"), member.Name))
		}
		seen[member.Name] = true
		if member.Kubeconfig == "" && member.SchedulerConfiguration == "" {
			errs = append(errs,
				field.Required(path, "give a kubeconfig or a schedulerConfiguration, or leave the member out: its Cluster says the rest"))
		}
		if member.Kubeconfig == "" && e.FollowClusters == Disabled {
			errs = append(errs, field.Required(path.Child("kubeconfig"), "followClusters is Disabled"))
		}
	}
	for i, kind := range e.WorkloadKinds {
		errs = append(errs, kind.validate(field.NewPath("workloadKinds").Index(i))...)
	}
	if e.PodBudget < 0 {
		errs = append(errs, field.Invalid(field.NewPath("podBudget"), e.PodBudget, "must be at least 0"))
	}
	if e.DrainSeconds < 0 {
		errs = append(errs, field.Invalid(field.NewPath("drainSeconds"), e.DrainSeconds, "must be at least 0"))
	}
	errs = append(errs, e.Staleness.validate(field.NewPath("staleness"))...)
	return append(errs, e.Registration.validate(field.NewPath("registration"))...)
}

func (r Registration) validate(path *field.Path) field.ErrorList {
	errs := validateMode(r.Mode, path.Child("mode"))
	if r.Mode != Enabled {
		return errs
	}
	for name, value := range map[string]string{"serviceNamespace": r.ServiceNamespace, "servicePrefix": r.ServicePrefix} {
		for _, problem := range validation.IsDNS1123Label(value) {
			errs = append(errs, field.Invalid(path.Child(name), value, problem))
		}
	}
	for _, problem := range validation.IsDNS1123Subdomain(r.Host) {
		errs = append(errs, field.Invalid(path.Child("host"), r.Host, "where karmada-scheduler reaches this process: "+problem))
	}
	for i, name := range r.Expected {
		for _, problem := range validation.IsDNS1123Subdomain(name) {
			errs = append(errs, field.Invalid(path.Child("expected").Index(i), name, problem))
		}
	}
	for _, problem := range validation.IsValidPortNum(int(r.Port)) {
		errs = append(errs, field.Invalid(path.Child("port"), r.Port, problem))
	}
	return errs
}

func (k WorkloadKind) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if k.Kind == "" {
		errs = append(errs, field.Required(path.Child("kind"), "as objects of the kind spell it"))
	}
	if len(k.PodTemplatePaths) == 0 {
		errs = append(errs, field.Required(path.Child("podTemplatePaths"), "where the pod template is: spec.workload.template"))
	}
	for i, template := range k.PodTemplatePaths {
		if strings.Contains("."+template+".", "..") {
			errs = append(errs, field.Invalid(path.Child("podTemplatePaths").Index(i), template, "must be names of fields with a dot between them"))
		}
	}
	return errs
}

func (s Staleness) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.ProbeSeconds < 1 {
		errs = append(errs, field.Invalid(path.Child("probeSeconds"), s.ProbeSeconds, "must be at least 1"))
	}
	if s.ProbeTimeoutSeconds < 1 {
		errs = append(errs, field.Invalid(path.Child("probeTimeoutSeconds"), s.ProbeTimeoutSeconds, "must be at least 1"))
	}
	if s.FreshSeconds <= s.ProbeSeconds+s.ProbeTimeoutSeconds {
		errs = append(errs, field.Invalid(path.Child("freshSeconds"), s.FreshSeconds,
			"must be above probeSeconds plus probeTimeoutSeconds, or one slow probe makes a member stale"))
	}
	if s.KeepSeconds < s.FreshSeconds || s.KeepSeconds > 3600 {
		errs = append(errs, field.Invalid(path.Child("keepSeconds"), s.KeepSeconds, "must lie between freshSeconds and 3600"))
	}
	return errs
}
