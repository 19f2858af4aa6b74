package program

import (
	"fmt"

	"github.com/go-logr/logr"
	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// Log makes the program's logger, gives it to the libraries too, and says which version of the program begins. 0 is what went wrong and
// what was changed, 1 also what was left alone and why. klog's own threshold stays where it was: libraries write at levels of theirs what
// only they need.
func Log(name string, verbosity int) logr.Logger {
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Verbosity(verbosity)))
	klog.SetLogger(logger)
	ctrl.SetLogger(logger)
	logger.Info("Starting", "program", name, "version", Version())
	return logger
}

// Scheme knows every kind of karmada-apiserver that a program of ours reads or writes in typed form.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme,
		karmadaautoscaling.Install,
		clusterv1alpha1.Install,
		configv1alpha1.Install,
		policyv1alpha1.Install,
		workv1alpha1.Install,
		workv1alpha2.Install,
		appsv1alpha1.AddToScheme,
		autoscalingv1alpha1.AddToScheme,
		migrationv1alpha1.AddToScheme,
		releasev1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	return scheme, nil
}

// Cache is how every manager of ours keeps objects: without managedFields, often half of an object, which no rule of ours reads.
func Cache() cache.Options {
	return cache.Options{DefaultTransform: cache.TransformStripManagedFields()}
}

// Queues is how every controller of ours waits: first come, first served. controller-runtime's priority queue, its default, lets what a new
// leader finds wait behind every fresh change, and whatever asks to be looked at again at a later time keeps that place.
func Queues() config.Controller {
	return config.Controller{UsePriorityQueue: ptr.To(false)}
}

// Events writes events as the core kind, which the roles that ship allow and every tool shows. The recorder that controller-runtime has
// beside it writes those of events.k8s.io, which takes other rights in every karmada-apiserver that Argosy runs against already.
func Events(mgr ctrl.Manager, component string) record.EventRecorder {
	return mgr.GetEventRecorderFor(component) //nolint:staticcheck // SA1019: deprecated, not gone; the rights come first
}
