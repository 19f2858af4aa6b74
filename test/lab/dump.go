package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// Dump writes every object of every plane, one file for each kind, below logs/objects of the lab's
// folder, where they are kept with the logs. Secrets are left out. A plane that does not answer is
// reported and skipped.
func (l *Lab) Dump(ctx context.Context) error {
	var all error
	for _, plane := range append([]string{KarmadaPlaneName}, l.Members...) {
		if err := l.dumpPlane(ctx, plane); err != nil {
			all = errors.Join(all, fmt.Errorf("dumping %s: %w", plane, err))
		}
	}
	return all
}

func (l *Lab) dumpPlane(ctx context.Context, plane string) error {
	cfg, err := l.Config(plane)
	if err != nil {
		return err
	}
	kinds, err := listable(discovery.NewDiscoveryClientForConfig(cfg))
	if err != nil {
		return err
	}
	objects, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	dir := filepath.Join(l.Dir, "logs", "objects", plane)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, kind := range kinds {
		list, err := objects.Resource(kind).List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) == 0 {
			continue // some kinds are listed by nobody, such as reviews
		}
		for i := range list.Items {
			list.Items[i].SetManagedFields(nil)
		}
		content, err := yaml.Marshal(list)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(kind.Resource+"."+kind.Group, ".") + ".yaml"
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func listable(client *discovery.DiscoveryClient, err error) ([]schema.GroupVersionResource, error) {
	if err != nil {
		return nil, err
	}
	lists, err := client.ServerPreferredResources()
	if err != nil && len(lists) == 0 {
		return nil, err
	}
	var out []schema.GroupVersionResource
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			verbs := strings.Join(r.Verbs, " ")
			if strings.Contains(verbs, "list") && r.Name != "secrets" {
				out = append(out, gv.WithResource(r.Name))
			}
		}
	}
	return out, nil
}
