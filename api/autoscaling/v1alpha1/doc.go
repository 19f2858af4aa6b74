// Package v1alpha1 holds Argosy's autoscaling kinds: CronHPA scales on a timetable, FedHPA on metrics.
//
// The two meet here and nowhere else: a CronHPA that targets a FedHPA never writes that FedHPA. It offers the bounds of
// its rule in force in its own status (CronHPAStatus.Bounds), and the FedHPA controller reads them there.
//
// +kubebuilder:object:generate=true
// +groupName=autoscaling.argosy.dev
package v1alpha1
