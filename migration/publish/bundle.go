package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/migration/policy"
)

// clustersDir holds, in a folder per cluster, the objects that differ there.
const clustersDir = "clusters"

// Bundle is an application's files: objects for every cluster, and objects that replace or join them in one.
//
//	app/*.yaml                   every cluster
//	app/clusters/<name>/*.yaml   that cluster: replaces the object of the same kind and name
//
// Where one of these folders holds a kustomization, its objects are what kustomize builds of it.
type Bundle struct {
	common  []*unstructured.Unstructured
	cluster map[string][]*unstructured.Unstructured
}

// Load reads a bundle from a folder.
func Load(folder fs.FS) (*Bundle, error) {
	bundle := &Bundle{cluster: map[string][]*unstructured.Unstructured{}}
	kustomizations, err := kustomized(folder)
	if err != nil {
		return nil, err
	}
	for _, dir := range kustomizations {
		objects, err := build(folder, dir)
		if err != nil {
			return nil, err
		}
		if dir == "." {
			bundle.common = objects
		} else {
			bundle.cluster[path.Base(dir)] = objects
		}
	}
	err = fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name)) {
			return err
		}
		return bundle.take(folder, name, kustomizations)
	})
	if err != nil {
		return nil, err
	}
	if err := bundle.once(); err != nil {
		return nil, err
	}
	if len(bundle.common) == 0 && len(bundle.cluster) == 0 {
		return nil, errors.New("the folder holds no objects (*.yaml, *.yml, *.json)")
	}
	return bundle, nil
}

// Bundled makes a bundle of objects for every cluster.
func Bundled(objects []*unstructured.Unstructured) (*Bundle, error) {
	bundle := &Bundle{common: objects, cluster: map[string][]*unstructured.Unstructured{}}
	if len(objects) == 0 {
		return nil, errors.New("there are no objects")
	}
	if err := complete(objects); err != nil {
		return nil, err
	}
	return bundle, bundle.once()
}

// take the objects of a file that no kustomization is built of. Beside kustomizations other folders hold what they are built from.
func (b *Bundle) take(folder fs.FS, name string, kustomizations []string) error {
	parts := strings.Split(name, "/")
	if within(name, kustomizations) || len(kustomizations) > 0 && len(parts) > 1 && parts[0] != clustersDir {
		return nil
	}
	objects, err := read(folder, name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	switch {
	case len(parts) == 1:
		b.common = append(b.common, objects...)
	case len(parts) == 3 && parts[0] == clustersDir:
		b.cluster[parts[1]] = append(b.cluster[parts[1]], objects...)
	default:
		return fmt.Errorf("%s: files lie in the folder itself or in %s/<cluster>/", name, clustersDir)
	}
	return nil
}

// once refuses an object that stands twice in one place: which of the two is meant, nobody can tell.
func (b *Bundle) once() error {
	places := map[string][]*unstructured.Unstructured{"the folder": b.common}
	for cluster, objects := range b.cluster {
		places[clustersDir+"/"+cluster] = objects
	}
	for place, objects := range places {
		seen := map[v1alpha1.ResourceReference]bool{}
		for _, object := range objects {
			ref := policy.RefOf(object)
			if seen[ref] {
				return fmt.Errorf("%s stands twice in %s", policy.User(ref), place)
			}
			seen[ref] = true
		}
	}
	return nil
}

// read the objects of a file, those of a List one by one.
func read(folder fs.FS, name string) ([]*unstructured.Unstructured, error) {
	content, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, err
	}
	parsed, err := manifest.Parse(content)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, object := range parsed {
		if !object.IsList() {
			objects = append(objects, object)
			continue
		}
		list, err := object.ToList()
		if err != nil {
			return nil, fmt.Errorf("reading a %s: %w", object.GetKind(), err)
		}
		for i := range list.Items {
			objects = append(objects, &list.Items[i])
		}
	}
	return objects, complete(objects)
}

// complete refuses objects that lack what tells them apart.
func complete(objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if object.GetAPIVersion() == "" || object.GetKind() == "" || object.GetName() == "" {
			return errors.New("an object lacks apiVersion, kind or metadata.name")
		}
	}
	return nil
}

// Clusters that have files of their own, sorted.
func (b *Bundle) Clusters() []string {
	names := make([]string, 0, len(b.cluster))
	for name := range b.cluster {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// For gives the objects as they are to be in one cluster.
func (b *Bundle) For(cluster string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	own := b.cluster[cluster]
	for _, object := range b.common {
		replaced := slices.ContainsFunc(own, func(other *unstructured.Unstructured) bool {
			return policy.RefOf(other) == policy.RefOf(object)
		})
		if !replaced {
			out = append(out, object.DeepCopy())
		}
	}
	for _, object := range own {
		out = append(out, object.DeepCopy())
	}
	return out
}

// partOf is the same bundle, each of whose objects is marked as one of the set, but for those that the control plane has in another.
func (b *Bundle) partOf(set applySet, onto held) *Bundle {
	marked := func(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
		var out []*unstructured.Unstructured
		for _, object := range objects {
			object = object.DeepCopy()
			if there, is := onto[policy.RefOf(object)]; is {
				set.join(object, there.template)
			} else {
				set.join(object, nil)
			}
			out = append(out, object)
		}
		return out
	}
	out := &Bundle{common: marked(b.common), cluster: map[string][]*unstructured.Unstructured{}}
	for cluster, objects := range b.cluster {
		out.cluster[cluster] = marked(objects)
	}
	return out
}

// within refuses, as kubectl does, an object that names another namespace than the release's: it would not be the application's, and
// no rollback would find it. A release without a namespace of its own meets objects that name theirs here.
func (b *Bundle) within(namespace string) error {
	all := slices.Clone(b.common)
	for _, cluster := range b.Clusters() {
		all = append(all, b.cluster[cluster]...)
	}
	for _, object := range all {
		if other := object.GetNamespace(); other != "" && other != namespace {
			return fmt.Errorf("%s is in namespace %s, and the release in %s: the namespaces must match; nothing was published",
				policy.User(policy.RefOf(object)), other, namespace)
		}
	}
	return nil
}

// Workload is the bundle's one workload.
func (b *Bundle) Workload() (*unstructured.Unstructured, error) {
	var found *unstructured.Unstructured
	all := slices.Clone(b.common)
	for _, cluster := range b.Clusters() {
		all = append(all, b.cluster[cluster]...)
	}
	for _, object := range all {
		if !policy.Supported(object.GetAPIVersion(), object.GetKind()) {
			continue
		}
		if found != nil && policy.RefOf(found) != policy.RefOf(object) {
			return nil, fmt.Errorf("the folder holds more than one workload, %s and %s: an application has one",
				policy.User(policy.RefOf(found)), policy.User(policy.RefOf(object)))
		}
		found = object
	}
	if found == nil {
		return nil, errors.New("the folder holds no workload " +
			"(Deployment, StatefulSet, DaemonSet, or OpenKruise's CloneSet, StatefulSet, DaemonSet)")
	}
	return found, nil
}

// Author the bundle's templates, policies and overrides for the clusters. Every object of the folder is the
// application's, whether its pods refer to it or not.
func (b *Bundle) Author(namespace, owner string, clusters []string) ([]policy.Resource, error) {
	return b.author(namespace, owner, clusters, nil)
}

// author them onto what the control plane has already.
func (b *Bundle) author(namespace, owner string, clusters []string, onto held) ([]policy.Resource, error) {
	workload, err := b.Workload()
	if err != nil {
		return nil, err
	}
	application := policy.Application{
		Namespace: namespace, Workload: policy.RefOf(workload), Owner: owner, Objects: map[string][]policy.Found{},
		Base: map[v1alpha1.ResourceReference]*unstructured.Unstructured{},
	}
	for _, cluster := range clusters {
		for _, object := range b.For(cluster) {
			if object.GetNamespace() == "" {
				object.SetNamespace(namespace)
			}
			if object.GetNamespace() != namespace {
				return nil, fmt.Errorf("%s is in namespace %s, the application in %s",
					policy.User(policy.RefOf(object)), object.GetNamespace(), namespace)
			}
			if object, err = onto.merge(cluster, object, application.Base); err != nil {
				return nil, err
			}
			found := policy.Found{Object: object, Users: []string{policy.User(application.Workload)}}
			application.Objects[cluster] = append(application.Objects[cluster], found)
		}
	}
	return policy.Author(application)
}
