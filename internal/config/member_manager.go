package config

import (
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
	// HealthBindAddress serves /healthz and /readyz: host:port, or "0" for none.
	HealthBindAddress string `json:"healthBindAddress"`
	// Namespace of the ConfigMap argosy-cluster, whose data are the cluster's values: $(cluster.KEY) in templates.
	Namespace string `json:"namespace"`
	// Controllers holds a section for each controller.
	Controllers MemberControllers `json:"controllers"`
}

// MemberControllers holds a section for each controller: one line per capability.
type MemberControllers struct {
	Component Controller `json:"component"`
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
		Controllers:        MemberControllers{Component: Controller{Mode: Enabled, Concurrency: 16}},
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
	return append(errs, c.Controllers.Component.validate(field.NewPath("controllers", "component"))...)
}
