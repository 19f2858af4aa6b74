package config

import (
	"net"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ControllerManagerKind is the kind of argosy-controller-manager's file.
const ControllerManagerKind = "ControllerManagerConfiguration"

// ControllerManager is the configuration of argosy-controller-manager.
type ControllerManager struct {
	Header `json:",inline"`

	// LeaderElection lets several replicas run, one of them at work.
	LeaderElection LeaderElection `json:"leaderElection"`
	// Client bounds what the controllers ask of karmada-apiserver.
	Client Client `json:"client"`
	// MetricsBindAddress serves /metrics: host:port, or "0" for none.
	MetricsBindAddress string `json:"metricsBindAddress"`
	// MetricsSecure serves them over TLS, to whoever shows a token of karmada-apiserver and may "get" /metrics there.
	MetricsSecure bool `json:"metricsSecure"`
	// HealthBindAddress serves /healthz and /readyz: host:port, or "0" for none.
	HealthBindAddress string `json:"healthBindAddress"`
	// Controllers holds a section for each controller.
	Controllers Controllers `json:"controllers"`
}

// LeaderElection by a Lease in karmada-apiserver.
type LeaderElection struct {
	// Enabled is true unless exactly one process runs. That one renews the Lease too, and waits for nobody's: argosyctl check sees it.
	Enabled bool `json:"enabled"`
	// Namespace and Name of the Lease.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// LeaseDurationSeconds is how long a silent leader keeps the lease.
	LeaseDurationSeconds int32 `json:"leaseDurationSeconds"`
	// RenewDeadlineSeconds is how long a leader tries to renew before it gives up.
	RenewDeadlineSeconds int32 `json:"renewDeadlineSeconds"`
	// RetryPeriodSeconds lies between two tries.
	RetryPeriodSeconds int32 `json:"retryPeriodSeconds"`
}

// Client bounds requests to karmada-apiserver.
type Client struct {
	// QPS is requests a second; -1 leaves the bound to the server's own priority and fairness.
	QPS float32 `json:"qps"`
	// Burst above QPS for a moment.
	Burst int `json:"burst"`
}

// Controllers holds a section for each controller: one line per capability.
type Controllers struct {
	CronHPA    Controller `json:"cronHPA"`
	PodScaleIn Controller `json:"podScaleIn"`
	Migration  Migration  `json:"migration"`
	Release    Controller `json:"release"`
	FedHPA     FedHPA     `json:"fedHPA"`
	Reschedule Reschedule `json:"reschedule"`
}

// Controller is what every controller can be told.
type Controller struct {
	// Mode is Enabled or Disabled.
	Mode string `json:"mode"`
	// Concurrency is how many objects are worked on at once.
	Concurrency int `json:"concurrency"`
}

// Modes of whatever can be switched off.
const (
	Enabled  = "Enabled"
	Disabled = "Disabled"
)

// LoadControllerManager reads the file at path over the defaults; an empty path means the defaults.
func LoadControllerManager(path string) (*ControllerManager, error) {
	c := DefaultControllerManager()
	if err := load(path, c); err != nil {
		return nil, err
	}
	return c, nil
}

// DefaultControllerManager is the configuration without a file.
func DefaultControllerManager() *ControllerManager {
	return &ControllerManager{
		Header: Header{APIVersion: APIVersion, Kind: ControllerManagerKind},
		LeaderElection: LeaderElection{
			Enabled: true, Namespace: "argosy-system", Name: "argosy-controller-manager",
			LeaseDurationSeconds: 15, RenewDeadlineSeconds: 10, RetryPeriodSeconds: 2,
		},
		Client:             Client{QPS: -1},
		MetricsBindAddress: ":8080",
		HealthBindAddress:  ":8081",
		Controllers: Controllers{
			// At nine o'clock thousands are due: etcd writes what arrives together to the disk at once, so that 32 writes under
			// way are a third faster than 16. More gains nothing (docs/reference/benchmarks.md).
			CronHPA:    Controller{Mode: Enabled, Concurrency: 32},
			PodScaleIn: Controller{Mode: Enabled, Concurrency: 4},
			Migration:  Migration{Controller: Controller{Mode: Enabled, Concurrency: 8}},
			Release:    Controller{Mode: Enabled, Concurrency: 8},
			FedHPA:     defaultFedHPA(),
			Reschedule: defaultReschedule(),
		},
	}
}

// Validate names every field that cannot stand.
func (c *ControllerManager) Validate() field.ErrorList {
	errs := c.validate(ControllerManagerKind)
	errs = append(errs, c.LeaderElection.validate(field.NewPath("leaderElection"))...)
	errs = append(errs, c.Client.validate(field.NewPath("client"))...)
	errs = append(errs, validateAddress(c.MetricsBindAddress, field.NewPath("metricsBindAddress"))...)
	errs = append(errs, validateAddress(c.HealthBindAddress, field.NewPath("healthBindAddress"))...)
	path := field.NewPath("controllers")
	errs = append(errs, c.Controllers.CronHPA.validate(path.Child("cronHPA"))...)
	errs = append(errs, c.Controllers.PodScaleIn.validate(path.Child("podScaleIn"))...)
	errs = append(errs, c.Controllers.Migration.validate(path.Child("migration"))...)
	errs = append(errs, c.Controllers.Release.validate(path.Child("release"))...)
	errs = append(errs, c.Controllers.FedHPA.validate(path.Child("fedHPA"))...)
	errs = append(errs, c.Controllers.Reschedule.validate(path.Child("reschedule"))...)
	return errs
}

func (l LeaderElection) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range validation.IsDNS1123Label(l.Namespace) {
		errs = append(errs, field.Invalid(path.Child("namespace"), l.Namespace, problem))
	}
	for _, problem := range validation.IsDNS1123Subdomain(l.Name) {
		errs = append(errs, field.Invalid(path.Child("name"), l.Name, problem))
	}
	if !l.Enabled {
		if l.LeaseDurationSeconds < 1 {
			errs = append(errs, field.Invalid(path.Child("leaseDurationSeconds"), l.LeaseDurationSeconds, "must be at least 1"))
		}
		return errs
	}
	if l.RetryPeriodSeconds < 1 {
		errs = append(errs, field.Invalid(path.Child("retryPeriodSeconds"), l.RetryPeriodSeconds, "must be at least 1"))
	}
	if l.RenewDeadlineSeconds <= l.RetryPeriodSeconds {
		errs = append(errs, field.Invalid(path.Child("renewDeadlineSeconds"), l.RenewDeadlineSeconds, "must be above retryPeriodSeconds"))
	}
	if l.LeaseDurationSeconds <= l.RenewDeadlineSeconds {
		errs = append(errs, field.Invalid(path.Child("leaseDurationSeconds"), l.LeaseDurationSeconds, "must be above renewDeadlineSeconds"))
	}
	return errs
}

func (c Client) validate(path *field.Path) field.ErrorList {
	switch {
	case c.QPS != -1 && c.QPS <= 0:
		return field.ErrorList{field.Invalid(path.Child("qps"), c.QPS, "must be above 0, or -1 for no bound")}
	case c.QPS > 0 && c.Burst < 1:
		return field.ErrorList{field.Invalid(path.Child("burst"), c.Burst, "must be at least 1 when qps is set")}
	}
	return nil
}

func (c Controller) validate(path *field.Path) field.ErrorList {
	errs := validateMode(c.Mode, path.Child("mode"))
	if c.Concurrency < 1 || c.Concurrency > 256 {
		errs = append(errs, field.Invalid(path.Child("concurrency"), c.Concurrency, "must be between 1 and 256"))
	}
	return errs
}

func validateMode(mode string, path *field.Path) field.ErrorList {
	if mode == Enabled || mode == Disabled {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, mode, []string{Enabled, Disabled})}
}

func validateAddress(address string, path *field.Path) field.ErrorList {
	if address == "0" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		if number, convErr := strconv.Atoi(port); convErr == nil && number >= 0 && number <= 65535 {
			return nil
		}
	}
	return field.ErrorList{field.Invalid(path, address, `want host:port, :port, or "0" for none`)}
}
