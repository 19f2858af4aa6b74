package component

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/decide"
)

// byHost is the index of rendered Ingresses by what they answer, byIngress that of Components by the host that they ask for.
const (
	byHost    = "argosy.host"
	byIngress = "argosy.ingress"
)

func indexHosts(ctx context.Context, mgr manager.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &networkingv1.Ingress{}, byHost,
		func(o client.Object) []string { return hostsOf(o.(*networkingv1.Ingress)) })
	if err != nil {
		return fmt.Errorf("indexing Ingresses by host: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Component{}, byIngress, asksFor); err != nil {
		return fmt.Errorf("indexing Components by host: %w", err)
	}
	return nil
}

// asksFor is the host that a Component asks for.
func asksFor(o client.Object) []string {
	if ingress := o.(*v1alpha1.Component).Spec.Ingress; ingress != nil {
		return []string{ingress.Host}
	}
	return nil
}

// freed are the Components that ask for a host of an Ingress: one that is gone, or answers for others now, may leave it to them.
func (r *Reconciler) freed(ctx context.Context, object client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, rule := range object.(*networkingv1.Ingress).Spec.Rules {
		list := &v1alpha1.ComponentList{}
		if err := r.cache.List(ctx, list, client.MatchingFields{byIngress: rule.Host}, client.UnsafeDisableDeepCopy); err != nil {
			log.FromContext(ctx).Error(err, "Listing Components by host")
			return out
		}
		for i := range list.Items {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return out
}

// frees is true where an Ingress may no longer answer for what it did.
func frees() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false }, GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
				(e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
		},
	}
}

// hostsOf an Ingress: host and path, as in demo.example.com/a.
func hostsOf(ingress *networkingv1.Ingress) []string {
	var out []string
	for _, rule := range ingress.Spec.Rules {
		if rule.Host == "" || rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			out = append(out, rule.Host+path.Path)
		}
	}
	return out
}

// gatherHosts finds the Ingresses of other Components that answer for a host and path that this one asks for. The older one has it.
func (r *Reconciler) gatherHosts(ctx context.Context, in *decide.Input) error {
	for i := range in.Objects {
		object := &in.Objects[i]
		if object.Kind != "Ingress" {
			continue
		}
		var wanted networkingv1.Ingress
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Content, &wanted); err != nil {
			return fmt.Errorf("reading Ingress %s: %w", object.Name, err)
		}
		for _, host := range hostsOf(&wanted) {
			list := &networkingv1.IngressList{}
			if err := r.cache.List(ctx, list, client.MatchingFields{byHost: host}, client.UnsafeDisableDeepCopy); err != nil {
				return fmt.Errorf("listing Ingresses of %s: %w", host, err)
			}
			for j := range list.Items {
				if other := owner(&list.Items[j], in); other != "" {
					if in.Hosts == nil {
						in.Hosts = map[decide.Key]string{}
					}
					in.Hosts[decide.KeyOf(object)] = fmt.Sprintf("%s is Component %s's already", host, other)
				}
			}
		}
	}
	return nil
}

// owner of an Ingress, if it is another Component and was there before this one's.
func owner(ingress *networkingv1.Ingress, in *decide.Input) string {
	of := metav1.GetControllerOf(ingress)
	if of == nil || of.UID == in.Component.UID || of.Kind != "Component" || ingress.DeletionTimestamp != nil {
		return ""
	}
	name := ingress.Namespace + "/" + of.Name
	for key, live := range in.Live {
		if key.Kind != "Ingress" || decide.OwnerOf(live, in.Component) != decide.Ours {
			continue
		}
		ours, theirs := live.GetCreationTimestamp(), ingress.CreationTimestamp
		if ours.Before(&theirs) || ours.Equal(&theirs) && in.Component.Namespace+"/"+in.Component.Name < name {
			return ""
		}
	}
	return name
}
