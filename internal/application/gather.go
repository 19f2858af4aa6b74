package application

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/binding"
	"github.com/argosy-dev/argosy/internal/mark"
)

// Reader reads the control plane and its members.
type Reader struct {
	Control client.Reader
	// Member is a client of a member cluster.
	Member func(ctx context.Context, cluster string) (client.Reader, error)
	Clock  clock.PassiveClock
}

// Gather reads all there is to know of one object of the control plane.
func (r *Reader) Gather(ctx context.Context, kind schema.GroupVersionKind, key client.ObjectKey) (Facts, error) {
	facts := Facts{Clusters: map[string]Cluster{}, Template: &unstructured.Unstructured{}}
	facts.Template.SetGroupVersionKind(kind)
	if err := r.Control.Get(ctx, key, facts.Template); err != nil {
		return facts, fmt.Errorf("reading %s %s: %w", kind.Kind, named(key), err)
	}
	var err error
	if facts.Binding, err = r.binding(ctx, facts.Template); err != nil {
		return facts, err
	}
	if err := r.works(ctx, &facts); err != nil {
		return facts, err
	}
	if facts.About, err = r.about(ctx, facts.Template); err != nil {
		return facts, err
	}
	if facts.Said, err = r.said(ctx, facts.Binding); err != nil {
		return facts, err
	}
	r.members(ctx, &facts)
	facts.Now = r.Clock.Now()
	return facts, nil
}

func named(key client.ObjectKey) string {
	if key.Namespace == "" {
		return key.Name
	}
	return key.String()
}

// binding of a template; nil where there is none.
func (r *Reader) binding(ctx context.Context, template *unstructured.Unstructured) (*Binding, error) {
	key := client.ObjectKey{Namespace: template.GetNamespace(), Name: names.GenerateBindingName(template.GetKind(), template.GetName())}
	if key.Namespace == "" {
		var found workv1alpha2.ClusterResourceBinding
		if err := r.Control.Get(ctx, key, &found); err != nil {
			return nil, absent(err, "reading ClusterResourceBinding "+key.Name)
		}
		return &Binding{ObjectMeta: found.ObjectMeta, Kind: workv1alpha2.ResourceKindClusterResourceBinding, Spec: found.Spec,
			Status: found.Status}, nil
	}
	found, err := binding.Of(ctx, r.Control, client.ObjectKeyFromObject(template), template.GroupVersionKind().GroupKind())
	if err != nil || found == nil {
		return nil, err
	}
	return &Binding{ObjectMeta: found.ObjectMeta, Kind: workv1alpha2.ResourceKindResourceBinding, Spec: found.Spec, Status: found.Status}, nil
}

// absent is nil for what is not there.
func absent(err error, doing string) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// works of the binding, and the clusters they and the binding are about.
func (r *Reader) works(ctx context.Context, facts *Facts) error {
	if facts.Binding == nil || !facts.Binding.of(facts.Template) {
		return nil
	}
	label := workv1alpha2.ResourceBindingPermanentIDLabel
	if facts.Binding.Kind == workv1alpha2.ResourceKindClusterResourceBinding {
		label = workv1alpha2.ClusterResourceBindingPermanentIDLabel
	}
	if id := facts.Binding.Labels[label]; id != "" {
		var works workv1alpha1.WorkList
		if err := r.Control.List(ctx, &works, client.MatchingLabels{label: id}); err != nil {
			return fmt.Errorf("listing the Works of %s %s: %w", facts.Binding.Kind, facts.Binding.Name, err)
		}
		for i := range works.Items {
			if name, ok := strings.CutPrefix(works.Items[i].Namespace, mark.ExecutionNamespacePrefix); ok {
				facts.Clusters[name] = Cluster{Work: &works.Items[i]}
			}
		}
	}
	for _, name := range facts.Binding.targets() {
		if _, ok := facts.Clusters[name]; !ok {
			facts.Clusters[name] = Cluster{}
		}
	}
	return r.joined(ctx, facts)
}

// atOnce so many Clusters are read.
const atOnce = 16

// joined reads the Clusters that the application is about.
func (r *Reader) joined(ctx context.Context, facts *Facts) error {
	of := slices.Collect(maps.Keys(facts.Clusters))
	found := make([]*clusterv1alpha1.Cluster, len(of))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, name := range of {
		group.Go(func() error {
			joined := &clusterv1alpha1.Cluster{}
			if err := r.Control.Get(ctx, client.ObjectKey{Name: name}, joined); err != nil {
				return absent(err, "reading Cluster "+name)
			}
			found[i] = joined
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, name := range of {
		cluster := facts.Clusters[name]
		cluster.Joined = found[i]
		facts.Clusters[name] = cluster
	}
	return nil
}

// members are read side by side; one that fails is silent, never empty.
func (r *Reader) members(ctx context.Context, facts *Facts) {
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
		read = make(map[string]Cluster, len(facts.Clusters))
	)
	for name, cluster := range facts.Clusters {
		wait.Go(func() {
			seen := cluster
			if err := r.member(ctx, name, facts.Template, &seen); err != nil {
				seen = cluster
				seen.Silence = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			read[name] = seen
		})
	}
	wait.Wait()
	facts.Clusters = read
}
