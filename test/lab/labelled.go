package lab

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Labelled lists every object of every kind that the server serves and the selector selects. A test that looks for orphans
// asks so: a list of kinds written by hand forgets the very kind that is left behind.
func Labelled(ctx context.Context, config *rest.Config, selector string) ([]unstructured.Unstructured, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lists, err := kinds.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("asking which kinds there are: %w", err)
	}
	var mu sync.Mutex
	var out []unstructured.Unstructured
	// The first list of a kind takes a second: the server begins to remember its objects then, and asks to come again after that long.
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(20)
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			all.Go(func() error {
				found, err := objects.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{LabelSelector: selector})
				if err != nil {
					return fmt.Errorf("listing %s: %w", resource.Name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				out = append(out, found.Items...)
				return nil
			})
		}
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}
