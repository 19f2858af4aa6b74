package migration

import (
	"context"
	"fmt"
	"net/http"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter"
	"github.com/karmada-io/karmada/pkg/util/fedinformer/genericmanager"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/internal/program"
)

// Options of the migration controllers.
type Options struct {
	// Concurrency is how many applications move at a time.
	Concurrency int
}

// AddToManager adds both controllers and the isKarmada endpoint to a manager of karmada-apiserver.
func AddToManager(mgr manager.Manager, options Options) error {
	if err := registerMetrics(); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	interpreter := &interpreter{config: mgr.GetConfig(), ready: make(chan struct{})}
	if err := mgr.Add(interpreter); err != nil {
		return fmt.Errorf("adding Karmada's resource interpreter: %w", err)
	}
	controller := &Controller{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Members: &members.Members{Reader: mgr.GetAPIReader()},
		Retainer: interpreter, Clock: clock.RealClock{}, Events: program.Events(mgr, "argosy-migration"),
		HTTP: &http.Client{Timeout: 10 * time.Second},
	}
	if err := controller.SetupWithManager(mgr, options.Concurrency); err != nil {
		return err
	}
	if err := mgr.AddMetricsServerExtraHandler(IsKarmadaPath, IsKarmada(mgr.GetAPIReader())); err != nil {
		return fmt.Errorf("adding %s: %w", IsKarmadaPath, err)
	}
	return (&Whitelists{Client: mgr.GetClient()}).SetupWithManager(mgr)
}

// interpreter runs Karmada's own resource interpreter, with the customizations and webhooks of this control
// plane: a dry run keeps of a member's object exactly what Karmada will keep.
type interpreter struct {
	config *rest.Config
	inner  resourceinterpreter.ResourceInterpreter
	ready  chan struct{}
}

// Start loads the interpreter's configuration and follows it until the process ends.
func (i *interpreter) Start(ctx context.Context) error {
	dynamicClient, err := dynamic.NewForConfig(i.config)
	if err != nil {
		return fmt.Errorf("building the interpreter's client: %w", err)
	}
	kube, err := kubernetes.NewForConfig(i.config)
	if err != nil {
		return fmt.Errorf("building the interpreter's client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(kube, 0)
	services := factory.Core().V1().Services().Lister()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	inner := resourceinterpreter.NewResourceInterpreter(genericmanager.NewSingleClusterInformerManager(ctx, dynamicClient, 0), services)
	if err := inner.Start(ctx); err != nil {
		return fmt.Errorf("starting Karmada's resource interpreter: %w", err)
	}
	i.inner = inner
	close(i.ready)
	<-ctx.Done()
	return nil
}

// HookEnabled and Retain wait for the interpreter: a plan without it would not be the truth.
func (i *interpreter) HookEnabled(kind schema.GroupVersionKind, operation configv1alpha1.InterpreterOperation) bool {
	<-i.ready
	return i.inner.HookEnabled(kind, operation)
}

// Retain as Karmada does.
func (i *interpreter) Retain(desired, observed *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	<-i.ready
	return i.inner.Retain(desired, observed)
}
