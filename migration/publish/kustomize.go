package publish

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// kustomized are the folders that hold a kustomization and whose objects kustomize builds: the application's own, and those of clusters.
func kustomized(folder fs.FS) ([]string, error) {
	var out []string
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		for _, kustomization := range konfig.RecognizedKustomizationFileNames() {
			if dir := path.Dir(name); path.Base(name) == kustomization && (dir == "." || path.Dir(dir) == clustersDir) {
				out = append(out, dir)
			}
		}
		return nil
	})
	return out, err
}

// build what kubectl kustomize builds of one folder. What lies outside the application's folder is not there.
func build(folder fs.FS, dir string) ([]*unstructured.Unstructured, error) {
	files := filesys.MakeFsInMemory()
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		return files.WriteFile("/"+name, content)
	})
	if err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, path.Join("/", dir))
	if err != nil {
		return nil, fmt.Errorf("building the kustomization of %s: %w", dir, err)
	}
	raw, err := built.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("building the kustomization of %s: %w", dir, err)
	}
	return manifest.Parse(raw)
}

// within says whether a file belongs to one of the folders.
func within(name string, dirs []string) bool {
	for _, dir := range dirs {
		if dir == "." && !strings.HasPrefix(name, clustersDir+"/") || strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}
