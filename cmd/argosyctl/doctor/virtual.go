package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/cmd/argosyctl/removal"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/interpreter/reach"
)

// Hosting is what was read of members that are to act on kinds of ours.
type Hosting struct {
	// Bound are the objects of such kinds that are dispatched to each member.
	Bound map[string]int
	// Managers are how many replicas of argosy-member-manager are ready there; -1 where there is none.
	Managers map[string]int32
	// Unasked are members that are Ready and did not answer, and why.
	Unasked map[string]string
	// Deletions are what members still hold.
	Deletions []removal.Deletion
}

// acting are the kinds that do nothing in a member without argosy-member-manager.
var acting = []schema.GroupKind{
	{Group: componentv1alpha1.GroupVersion.Group, Kind: "Component"},
	{Group: vmv1alpha1.GroupVersion.Group, Kind: "VMReplicaSet"},
	{Group: vmv1alpha1.GroupVersion.Group, Kind: "VMDeployment"},
}

// hosting reads members, where the plane serves such kinds.
func (r *Reader) hosting(ctx context.Context, facts *Facts) error {
	h := Hosting{Bound: map[string]int{}, Managers: map[string]int32{}, Unasked: map[string]string{}}
	defer func() { facts.Hosting = h }()
	if !slices.ContainsFunc(acting, func(kind schema.GroupKind) bool { return facts.Preferred[kind] != "" }) {
		return nil
	}
	if err := r.bound(ctx, &h); err != nil {
		return err
	}
	var clusters clusterv1alpha1.ClusterList
	if err := r.client.List(ctx, &clusters); err != nil && !meta.IsNoMatchError(err) {
		return fmt.Errorf("listing Clusters: %w", err)
	}
	templates := map[types.NamespacedName]types.UID{}
	for _, w := range facts.Workloads {
		if w.GetKind() == "VMReplicaSet" {
			templates[types.NamespacedName{Namespace: w.GetNamespace(), Name: w.GetName()}] = w.GetUID()
		}
	}
	known := &members.Members{Reader: r.client}
	var mu sync.Mutex
	var asking errgroup.Group
	asking.SetLimit(16)
	for i := range clusters.Items {
		cluster := &clusters.Items[i]
		if reach.NotReady(cluster) != "" {
			continue // another check says so
		}
		asking.Go(func() error {
			found, ready, err := askMember(ctx, known, cluster.Name, templates)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				h.Unasked[cluster.Name] = err.Error()
				return nil
			}
			h.Managers[cluster.Name] = ready
			h.Deletions = append(h.Deletions, found...)
			return nil
		})
	}
	err := asking.Wait()
	slices.SortFunc(h.Deletions, func(a, b removal.Deletion) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return err
}

// bound counts what is dispatched to each member.
func (r *Reader) bound(ctx context.Context, h *Hosting) error {
	var bindings workv1alpha2.ResourceBindingList
	if err := r.client.List(ctx, &bindings); err != nil {
		return fmt.Errorf("listing ResourceBindings: %w", err)
	}
	for i := range bindings.Items {
		spec := &bindings.Items[i].Spec
		if !slices.Contains(acting, schema.FromAPIVersionAndKind(spec.Resource.APIVersion, spec.Resource.Kind).GroupKind()) {
			continue
		}
		for _, cluster := range spec.Clusters {
			h.Bound[cluster.Name]++
		}
	}
	return nil
}

// askMember what it holds of what was deleted, and how many argosy-member-managers are ready in it.
func askMember(
	ctx context.Context, known *members.Members, name string, templates map[types.NamespacedName]types.UID,
) ([]removal.Deletion, int32, error) {
	member, err := known.Client(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	of := removal.Member{Cluster: name, Templates: templates}
	sets, servers := &vmv1alpha1.VMReplicaSetList{}, &vmv1alpha1.ServerList{}
	if err := errors.Join(listInto(ctx, member, "VMReplicaSet", sets), listInto(ctx, member, "Server", servers)); err != nil {
		return nil, 0, err
	}
	of.Sets, of.Servers = sets.Items, servers.Items
	var manager appsv1.Deployment
	err = member.Get(ctx, client.ObjectKey{Namespace: install.Namespace, Name: "argosy-member-manager"}, &manager)
	if apierrors.IsNotFound(err) {
		return of.Deletions(), -1, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading Deployment argosy-member-manager: %w", err)
	}
	return of.Deletions(), manager.Status.ReadyReplicas, nil
}

// listInto lists a kind of a member, which may not have it.
func listInto(ctx context.Context, member client.Reader, kind string, into any) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(vmv1alpha1.GroupVersion.WithKind(kind + "List"))
	err := member.List(ctx, list)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing %ss: %w", kind, err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(list.UnstructuredContent(), into)
}

// memberManagers: without one nothing is made of a Component or a VMReplicaSet, and nothing says so.
func memberManagers(f Facts, _ time.Time) []Finding {
	var out []Finding
	for cluster, why := range f.Hosting.Unasked {
		out = append(out, Finding{Severity: Warning, Object: "Cluster/" + cluster,
			Message: "whether argosy-member-manager runs there, and what it still holds of what was deleted, cannot be asked: " + why,
			Remedy:  "run doctor as somebody who may read the Clusters' Secrets, from where the members are reached"})
	}
	for cluster, n := range f.Hosting.Bound {
		ready, asked := f.Hosting.Managers[cluster]
		if !asked || ready > 0 {
			continue
		}
		message := fmt.Sprintf("%d Components and VM objects are dispatched there, and Deployment argosy-member-manager is not in namespace %s: "+
			"unless it runs otherwise, as in the lab, nothing is made of them", n, install.Namespace)
		remedy := "argosyctl install member-manager --context " + cluster + ", or take the cluster out of their policies"
		if ready == 0 {
			message = fmt.Sprintf("no argosy-member-manager is ready there: the %d Components and VM objects of it stay as they are", n)
			remedy = "look at Deployment argosy-member-manager in namespace " + install.Namespace + " of the member"
		}
		out = append(out, Finding{Severity: Problem, Object: "Cluster/" + cluster, Message: message, Remedy: remedy})
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Message, b.Message))
	})
	return out
}

// waitsLong is how long a person may take before doctor speaks of it.
const waitsLong = time.Hour

// deletions that wait: the control plane says nothing of them.
func deletions(f Facts, now time.Time) []Finding {
	var out []Finding
	for _, d := range f.Hosting.Deletions {
		long := now.Sub(d.Since.Time)
		if !d.ByPerson && long < waitsLong {
			continue // it is under way
		}
		message := fmt.Sprintf("%s %s/%s was deleted %s ago and waits for %s",
			d.Kind, d.Namespace, d.Name, long.Round(time.Minute), d.WaitsFor)
		if d.TemplateIsBack {
			message += "; its template was made again meanwhile, and gets no server there before this one is gone"
		}
		out = append(out, Finding{
			Severity: Warning, Object: "Cluster/" + d.Cluster, Message: message,
			Remedy: cmp.Or(d.Next, "argosyctl vm deletions says how it goes on"),
		})
	}
	return out
}
