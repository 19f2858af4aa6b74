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
	"github.com/argosy-dev/argosy/internal/members"
	"github.com/argosy-dev/argosy/interpreter/reach"
)

// Hosting is what was read of members that are to act on kinds of ours.
type Hosting struct {
	// Bound are the objects of such kinds that are dispatched to each member.
	Bound map[string]int
	// Managers are what members that answered show of argosy-member-manager.
	Managers map[string]Manager
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
	h := Hosting{Bound: map[string]int{}, Managers: map[string]Manager{}, Unasked: map[string]string{}}
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
			found, manager, err := askMember(ctx, known, cluster.Name, templates)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				h.Unasked[cluster.Name] = err.Error()
				return nil
			}
			h.Managers[cluster.Name] = manager
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

// askMember what it holds of what was deleted, and what it shows of argosy-member-manager.
func askMember(
	ctx context.Context, known *members.Members, name string, templates map[types.NamespacedName]types.UID,
) ([]removal.Deletion, Manager, error) {
	member, err := known.Client(ctx, name)
	if err != nil {
		return nil, Manager{}, err
	}
	of := removal.Member{Cluster: name, Templates: templates}
	sets, servers := &vmv1alpha1.VMReplicaSetList{}, &vmv1alpha1.ServerList{}
	if err := errors.Join(listInto(ctx, member, "VMReplicaSet", sets), listInto(ctx, member, "Server", servers)); err != nil {
		return nil, Manager{}, err
	}
	of.Sets, of.Servers = sets.Items, servers.Items
	manager, err := managerOf(ctx, member)
	if err != nil {
		return nil, Manager{}, err
	}
	return of.Deletions(), manager, nil
}

// memberVersion is the version in which the kinds of ours are read in members; both groups serve it.
const memberVersion = "v1alpha1"

// listOf lists a kind of a member; one that it does not have is an empty list.
func listOf(ctx context.Context, member client.Reader, kind schema.GroupVersionKind) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := member.List(ctx, list)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return &unstructured.UnstructuredList{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing %ss: %w", kind.Kind, err)
	}
	return list, nil
}

// listInto lists a kind of a member, which may not have it.
func listInto(ctx context.Context, member client.Reader, kind string, into any) error {
	list, err := listOf(ctx, member, vmv1alpha1.GroupVersion.WithKind(kind))
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(list.UnstructuredContent(), into)
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
