package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/conditions"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
)

// The conditions of the templates whose status we aggregate: what falls short there lasts, and nothing happens when it goes on to.
//
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets;daemonsets;uniteddeployments,verbs=list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets;replicasets,verbs=list;watch
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=list;watch
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=list;watch
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets;vmdeployments,verbs=list;watch
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components,verbs=list;watch

// templateKinds are the kinds of those templates, read through a cache of their own that keeps of each what is counted here.
func templateKinds(mgr manager.Manager) ([]conditions.Kind, error) {
	kept, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), DefaultTransform: trimTemplate,
	})
	if err != nil {
		return nil, fmt.Errorf("building the cache of templates: %w", err)
	}
	templates := &templates{Cache: kept}
	if err := mgr.Add(templates); err != nil {
		return nil, err
	}
	var kinds []conditions.Kind
	for _, family := range interpreter.Families() {
		if family.AggregateStatus == nil {
			continue
		}
		of := family.Kinds[0]
		kinds = append(kinds, conditions.Kind{
			Name: of.GroupKind().String(), Reader: templates, Conditions: ownConditions,
			List: func() client.ObjectList {
				list := &unstructured.UnstructuredList{}
				version := of.GroupVersion()
				if mapping, err := mgr.GetRESTMapper().RESTMapping(of.GroupKind()); err == nil {
					version = mapping.GroupVersionKind.GroupVersion()
				}
				list.SetGroupVersionKind(version.WithKind(of.Kind + "List"))
				return list
			},
		})
	}
	return kinds, nil
}

// listTimeout bounds the wait for the first list of a kind: one that may not be listed must not keep the others from being counted.
const listTimeout = 5 * time.Second

// templates is the cache as the leader uses it.
type templates struct{ cache.Cache }

// NeedLeaderElection implements manager.LeaderElectionRunnable: only the leader counts.
func (*templates) NeedLeaderElection() bool { return true }

// List implements client.Reader.
func (t *templates) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if err := t.Cache.List(ctx, list, options...); err != nil {
		var early *cache.ErrCacheNotStarted
		if errors.As(err, &early) {
			return nil
		}
		return err
	}
	return nil
}

// trimTemplate keeps name and our conditions.
func trimTemplate(object any) (any, error) {
	whole, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil
	}
	kept := &unstructured.Unstructured{Object: map[string]any{}}
	kept.SetGroupVersionKind(whole.GroupVersionKind())
	kept.SetNamespace(whole.GetNamespace())
	kept.SetName(whole.GetName())
	kept.SetResourceVersion(whole.GetResourceVersion())
	list, _, _ := unstructured.NestedSlice(whole.Object, "status", "conditions")
	var own []any
	for _, item := range list {
		if condition, ok := item.(map[string]any); ok && aggregate.IsOwn(fmt.Sprint(condition["type"])) {
			delete(condition, "message")
			own = append(own, condition)
		}
	}
	if len(own) > 0 {
		kept.Object["status"] = map[string]any{"conditions": own}
	}
	return kept, nil
}

// ownConditions are those of a trimmed template.
func ownConditions(object runtime.Object) []metav1.Condition {
	template, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	list, _, _ := unstructured.NestedSlice(template.Object, "status", "conditions")
	var out []metav1.Condition
	for _, item := range list {
		content, _ := item.(map[string]any)
		var condition metav1.Condition
		if runtime.DefaultUnstructuredConverter.FromUnstructured(content, &condition) == nil {
			out = append(out, condition)
		}
	}
	return out
}
