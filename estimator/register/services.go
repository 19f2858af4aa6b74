package register

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/klog/v2"
)

// Manager is the field manager of our Services, and the value of the label by which argosyctl uninstall finds them.
const Manager = "argosy-estimator"

const managedBy = "app.kubernetes.io/managed-by"

// What registering needs in karmada-apiserver. Members' names are not known beforehand, so no rule can name the Services;
// deploy/estimator/policy.yaml holds this account to those of the estimator.
//
// +kubebuilder:rbac:groups="",namespace=karmada-system,resources=services,verbs=list;create;patch;delete

// Target is what every Service says.
type Target struct {
	// Prefix of the Services' names.
	Prefix string
	// Host that is dialled: a name that Karmada's components resolve, and that the certificate bears.
	Host string
	// Port of the Services and of the host.
	Port int32
	// Shared: other instances register other members, each under a host of its own.
	Shared bool
}

// Registrar keeps the Services.
type Registrar struct {
	Services corev1client.ServiceInterface
	Target   Target
}

// Sync makes the Services be those of the members. It reports every Service it could not mend, and goes on with the others.
func (r *Registrar) Sync(ctx context.Context, members []string) error {
	list, err := r.Services.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing the estimator's Services: %w", err)
	}
	logger := klog.FromContext(ctx)
	var errs []error
	steps := decide(list.Items, members, r.Target)
	for _, name := range steps.foreign {
		errs = append(errs, fmt.Errorf("service %s was made by somebody else: delete it, or leave its member to the estimator it names", name))
	}
	for _, name := range steps.apply {
		if _, err := r.Services.Apply(ctx, r.Target.service(name), metav1.ApplyOptions{FieldManager: Manager, Force: true}); err != nil {
			errs = append(errs, fmt.Errorf("applying Service %s: %w", name, err))
			continue
		}
		logger.Info("Registered with karmada-scheduler", "service", name, "target", r.Target.Host)
	}
	for _, name := range steps.remove {
		if err := r.Services.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("deleting Service %s: %w", name, err))
			continue
		}
		logger.Info("Took the registration of a member that left away", "service", name)
	}
	return errors.Join(errs...)
}

// steps are the names of Services, in order.
type steps struct {
	apply, remove, foreign []string
}

func decide(have []corev1.Service, members []string, target Target) steps {
	var out steps
	wanted := map[string]bool{}
	for _, member := range members {
		wanted[target.Prefix+"-"+member] = true
	}
	for i := range have {
		service := &have[i]
		ours := service.Labels[managedBy] == Manager
		switch {
		case !wanted[service.Name] && ours && target.Shared && service.Spec.ExternalName != target.Host:
			// Another instance's.
		case !wanted[service.Name] && ours:
			out.remove = append(out.remove, service.Name)
		case !wanted[service.Name]:
		case !ours:
			out.foreign = append(out.foreign, service.Name)
			delete(wanted, service.Name)
		case target.describes(service):
			delete(wanted, service.Name)
		}
	}
	for name := range wanted {
		out.apply = append(out.apply, name)
	}
	for _, names := range [][]string{out.apply, out.remove, out.foreign} {
		slices.Sort(names)
	}
	return out
}

func (t Target) describes(service *corev1.Service) bool {
	spec := service.Spec
	return spec.Type == corev1.ServiceTypeExternalName && spec.ExternalName == t.Host && len(spec.Ports) == 1 &&
		spec.Ports[0].Port == t.Port && spec.Ports[0].TargetPort == intstr.FromInt32(t.Port)
}

// service is of type ExternalName: the scheduler takes no other.
func (t Target) service(name string) *corev1apply.ServiceApplyConfiguration {
	return corev1apply.Service(name, "").WithLabels(map[string]string{managedBy: Manager}).
		WithSpec(corev1apply.ServiceSpec().WithType(corev1.ServiceTypeExternalName).WithExternalName(t.Host).
			WithPorts(corev1apply.ServicePort().WithName("grpc").WithProtocol(corev1.ProtocolTCP).WithPort(t.Port).
				WithTargetPort(intstr.FromInt32(t.Port))))
}
