package config

import (
	"net/url"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// MemberManagerKind is the kind of argosy-member-manager's file.
const MemberManagerKind = "MemberManagerConfiguration"

// MemberManager is the configuration of argosy-member-manager, which runs in a member.
type MemberManager struct {
	Header `json:",inline"`

	// LeaderElection lets several replicas run, one of them at work; the others keep their caches and queues filled.
	LeaderElection LeaderElection `json:"leaderElection"`
	// Client bounds what the controllers ask of the member's API server.
	Client Client `json:"client"`
	// MetricsBindAddress serves /metrics: host:port, or "0" for none.
	MetricsBindAddress string `json:"metricsBindAddress"`
	// MetricsSecure serves them over TLS, to whoever shows a token of the member's API server and may "get" /metrics there.
	MetricsSecure bool `json:"metricsSecure"`
	// HealthBindAddress serves /healthz and /readyz: host:port, or "0" for none.
	HealthBindAddress string `json:"healthBindAddress"`
	// Namespace of the ConfigMap argosy-cluster, whose data are the cluster's values: $(cluster.KEY) in templates.
	Namespace string `json:"namespace"`
	// Controllers holds a section for each controller.
	Controllers MemberControllers `json:"controllers"`
	// Machines says where virtual machines are made.
	Machines Machines `json:"machines"`
	// Webhook stamps and checks what people decide about virtual machines in this member.
	Webhook MemberWebhook `json:"webhook"`
}

// Machines holds a section for each machine driver.
type Machines struct {
	// PeriodSeconds is how often each machine is looked at while nothing is done to it.
	PeriodSeconds int32 `json:"periodSeconds"`
	// HTTP is the driver http: a system that serves docs/reference/machines.openapi.yaml. Absent: there is no such driver here.
	HTTP *HTTPMachines `json:"http,omitempty"`
}

// HTTPMachines is a system that serves the contract of machines.
type HTTPMachines struct {
	// URL of the system, https. Whoever writes a VMReplicaSet cannot choose another.
	URL string `json:"url"`
	// CAFile is a file with the authority of its certificate; empty: the system's roots.
	CAFile string `json:"caFile,omitempty"`
}

// MemberWebhook is the admission that argosy-member-manager serves.
type MemberWebhook struct {
	// BindAddress serves it over HTTPS: host:port, or "0" for none.
	BindAddress string `json:"bindAddress"`
	// CertDir holds tls.crt and tls.key.
	CertDir string `json:"certDir"`
}

// MemberControllers holds a section for each controller: one line per capability.
type MemberControllers struct {
	Component Controller `json:"component"`
	// VM is that of VMReplicaSets and of Servers.
	VM Controller `json:"vm"`
}

// LoadMemberManager reads the file at path over the defaults; an empty path means the defaults.
func LoadMemberManager(path string) (*MemberManager, error) {
	c := DefaultMemberManager()
	if err := load(path, c); err != nil {
		return nil, err
	}
	return c, nil
}

// DefaultMemberManager is the configuration without a file.
func DefaultMemberManager() *MemberManager {
	return &MemberManager{
		Header: Header{APIVersion: APIVersion, Kind: MemberManagerKind},
		LeaderElection: LeaderElection{
			Enabled: true, Namespace: "argosy-system", Name: "argosy-member-manager",
			LeaseDurationSeconds: 15, RenewDeadlineSeconds: 10, RetryPeriodSeconds: 2,
		},
		Client:             Client{QPS: -1},
		MetricsBindAddress: ":8080",
		HealthBindAddress:  ":8081",
		Namespace:          "argosy-system",
		Controllers: MemberControllers{
			Component: Controller{Mode: Enabled, Concurrency: 16}, VM: Controller{Mode: Enabled, Concurrency: 16},
		},
		Machines: Machines{PeriodSeconds: 15},
		Webhook:  MemberWebhook{BindAddress: "0", CertDir: "/etc/argosy-member-manager/tls"},
	}
}

// Validate names every field that cannot stand.
func (c *MemberManager) Validate() field.ErrorList {
	errs := c.validate(MemberManagerKind)
	errs = append(errs, c.LeaderElection.validate(field.NewPath("leaderElection"))...)
	errs = append(errs, c.Client.validate(field.NewPath("client"))...)
	errs = append(errs, validateAddress(c.MetricsBindAddress, field.NewPath("metricsBindAddress"))...)
	errs = append(errs, validateAddress(c.HealthBindAddress, field.NewPath("healthBindAddress"))...)
	for _, problem := range validation.IsDNS1123Label(c.Namespace) {
		errs = append(errs, field.Invalid(field.NewPath("namespace"), c.Namespace, problem))
	}
	errs = append(errs, c.Controllers.Component.validate(field.NewPath("controllers", "component"))...)
	errs = append(errs, c.Controllers.VM.validate(field.NewPath("controllers", "vm"))...)
	errs = append(errs, validateAddress(c.Webhook.BindAddress, field.NewPath("webhook", "bindAddress"))...)
	return append(errs, c.Machines.validate(field.NewPath("machines"))...)
}

func (m Machines) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.PeriodSeconds < 1 {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), m.PeriodSeconds, "must be at least 1"))
	}
	if m.HTTP == nil {
		return errs
	}
	at := path.Child("http", "url")
	if url, err := url.Parse(m.HTTP.URL); err != nil || url.Scheme != "https" || url.Host == "" {
		errs = append(errs, field.Invalid(at, m.HTTP.URL, "must be https://host[:port][/path]"))
	}
	return errs
}
