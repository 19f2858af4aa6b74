package controller

import (
	"context"
	"fmt"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter"
	"github.com/karmada-io/karmada/pkg/util/fedinformer/genericmanager"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

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
