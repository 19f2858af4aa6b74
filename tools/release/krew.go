package main

import (
	"sigs.k8s.io/yaml"
)

// manifest is krew's Plugin (krew.googlecontainertools.github.com/v1alpha2): one platform for each archive.
func (r release) manifest(archives []archive) ([]byte, error) {
	platforms := make([]any, 0, len(archives))
	for _, a := range archives {
		platforms = append(platforms, map[string]any{
			"selector": map[string]any{"matchLabels": map[string]any{"os": a.os, "arch": a.arch}},
			"uri":      r.url + "/" + r.version + "/" + a.name,
			"sha256":   a.sum,
			"bin":      "argosyctl",
		})
	}
	return yaml.Marshal(map[string]any{
		"apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
		"kind":       "Plugin",
		"metadata":   map[string]any{"name": "argosy"},
		"spec": map[string]any{
			"version":          r.version,
			"homepage":         "https://github.com/argosy-dev/argosy",
			"shortDescription": "Operate workloads in a Karmada federation",
			"description": "Bring applications under a Karmada federation and back, see how many replicas fit each member,\n" +
				"remove pods by name, preview timetables, and find what keeps Karmada from asking Argosy.\n",
			"caveats": "The kubeconfig in use must reach karmada-apiserver: KUBECONFIG, --kubeconfig or --context name it.\n" +
				"`kubectl argosy fit` runs argosy-estimator of the same release, which must be in the PATH.\n",
			"platforms": platforms,
		},
	})
}
