package config

import (
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// FedHPA is the section of the FedHPA controller.
type FedHPA struct {
	Controller `json:",inline"`
	// Estimators says how members are asked for their room.
	Estimators Estimators `json:"estimators"`
}

// Estimators says how to reach the members' scheduler estimators: the same as karmada-scheduler's flags. Where none answers,
// room is taken from the Clusters' status.
type Estimators struct {
	// Mode is Enabled or Disabled.
	Mode string `json:"mode"`
	// ServiceNamespace and ServicePrefix find an estimator's Service in karmada-apiserver: <prefix>-<cluster>.
	ServiceNamespace string `json:"serviceNamespace"`
	ServicePrefix    string `json:"servicePrefix"`
	// Port of the Services.
	Port int32 `json:"port"`
	// TimeoutSeconds of one question.
	TimeoutSeconds int32 `json:"timeoutSeconds"`
	// CAFile verifies the estimators; empty means no TLS. This file and the next two are read anew for every connection.
	CAFile string `json:"caFile"`
	// CertFile and KeyFile are this process's own, for estimators that ask for one.
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
	// InsecureSkipServerVerify accepts any estimator.
	InsecureSkipServerVerify bool `json:"insecureSkipServerVerify"`
}

func defaultFedHPA() FedHPA {
	return FedHPA{
		Controller: Controller{Mode: Enabled, Concurrency: 8},
		Estimators: Estimators{
			Mode: Enabled, ServiceNamespace: "karmada-system", ServicePrefix: "karmada-scheduler-estimator", Port: 10352, TimeoutSeconds: 3,
		},
	}
}

func (f FedHPA) validate(path *field.Path) field.ErrorList {
	errs := f.Controller.validate(path)
	path = path.Child("estimators")
	e := f.Estimators
	errs = append(errs, validateMode(e.Mode, path.Child("mode"))...)
	if e.Mode == Disabled {
		return errs
	}
	for _, problem := range validation.IsValidPortNum(int(e.Port)) {
		errs = append(errs, field.Invalid(path.Child("port"), e.Port, problem))
	}
	if e.TimeoutSeconds < 1 || e.TimeoutSeconds > 30 {
		errs = append(errs, field.Invalid(path.Child("timeoutSeconds"), e.TimeoutSeconds, "must be between 1 and 30"))
	}
	if e.ServiceNamespace == "" || e.ServicePrefix == "" {
		errs = append(errs,
			field.Required(path.Child("serviceNamespace"), "serviceNamespace and servicePrefix are needed to find the estimators"))
	}
	if (e.CertFile == "") != (e.KeyFile == "") {
		errs = append(errs, field.Invalid(path.Child("keyFile"), e.KeyFile, "certFile and keyFile belong together"))
	}
	return errs
}
