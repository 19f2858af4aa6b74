package schema

import (
	"io/fs"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/deploy"
)

// TestAnAPIServerTakesTheCRDs runs what an API server checks of a CRD, the cost of its rules with it.
func TestAnAPIServerTakesTheCRDs(t *testing.T) {
	files, err := fs.Glob(deploy.Files, "crds/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := deploy.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v1 apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &v1); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		apiextensionsv1.SetDefaults_CustomResourceDefinition(&v1)
		apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&v1.Spec)
		for i := range v1.Spec.Versions {
			v1.Status.StoredVersions = append(v1.Status.StoredVersions, v1.Spec.Versions[i].Name)
		}
		var crd apiextensions.CustomResourceDefinition
		if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&v1, &crd, nil); err != nil {
			t.Fatal(err)
		}
		if errs := validation.ValidateCustomResourceDefinition(t.Context(), &crd); len(errs) > 0 {
			t.Errorf("%s: %v", file, errs.ToAggregate())
		}
	}
}

// TestAdoptIsSetOnce is about updates, which a file has not.
func TestAdoptIsSetOnce(t *testing.T) {
	const start = "apiVersion: component.luojilab.com/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {workloadType: Deployment, " +
		"developLanguage: python, runType: server, image: i, port: 80"
	without, old, older := start+"}", start+", adopt: {workload: old, selector: {a: b}}}",
		start+", adopt: {workload: older, selector: {a: b}}}"
	s, err := Of(read(t, old).GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		before, after string
		refused       bool
	}{
		"set": {without, old, false}, "kept": {old, old, false}, "changed": {old, older, true}, "taken away": {old, without, true},
	} {
		errs, _ := s.rules.Validate(t.Context(), nil, s.structural, read(t, tc.after).Object, read(t, tc.before).Object,
			celconfig.RuntimeCELCostBudget)
		if (len(errs) > 0) != tc.refused {
			t.Errorf("%s: %v", name, errs)
		}
	}
}
