package component

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/wave"
)

func demo(name, language string) *v1alpha1.Component {
	return &v1alpha1.Component{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.ComponentSpec{
			WorkloadType: v1alpha1.WorkloadDeployment, DevelopLanguage: language, RunType: "server", Image: "demo:1", Port: 8080,
		},
	}
}

// TestDeletionOfATemplate: whoever deletes one is told whom it changes and what holds it, and is never refused.
func TestDeletionOfATemplate(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	template := func(name, language string) *v1alpha1.ComponentTemplate {
		out := &v1alpha1.ComponentTemplate{ObjectMeta: metav1.ObjectMeta{Name: name}}
		out.Spec.Level, out.Spec.Match.Languages = v1alpha1.LevelLanguage, []string{language}
		out.Spec.Objects = []v1alpha1.TemplateObject{{Kind: "Deployment", Object: runtime.RawExtension{Raw: []byte(
			`{"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}`)}}}
		return out
	}
	unmanaged := demo("old", "python")
	unmanaged.Annotations = map[string]string{v1alpha1.AnnotationUnmanaged: "true"}
	python, java := template("python", "python"), template("java", "java")
	cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		python, java, demo("a", "python"), demo("b", "python"), demo("c", "go"), unmanaged).Build()
	for name, tc := range map[string]struct {
		reader client.Reader
		gone   *v1alpha1.ComponentTemplate
		want   []string
	}{
		"two change": {cluster, python, []string{
			"without ComponentTemplate python 2 of 4 Components of this cluster change, and 2 of them restart", "apply the template again",
		}},
		"nobody has it": {cluster, java, []string{"without ComponentTemplate java none of 4 Components of this cluster changes"}},
		"nobody can tell": {
			fake.NewClientBuilder().WithScheme(runtime.NewScheme()).Build(), python, nil,
		},
	} {
		raw, err := json.Marshal(tc.gone)
		if err != nil {
			t.Fatal(err)
		}
		request := admission.Request{}
		request.Name, request.OldObject.Raw = tc.gone.Name, raw
		response := Deletions{Reader: tc.reader, Namespace: "argosy-system"}.Handle(t.Context(), request)
		if !response.Allowed || len(response.Warnings) != len(tc.want) {
			t.Errorf("%s: allowed %v, warnings %q", name, response.Allowed, response.Warnings)
			continue
		}
		for i, want := range tc.want {
			if have := response.Warnings[i]; !strings.Contains(have, want) || len(have) > 256 {
				t.Errorf("%s: it says %q, want %q", name, have, want)
			}
		}
	}
}

// TestWaveThatNoTemplateTells: the wave of a template that was deleted tells of itself on the Components that stop it, once.
func TestWaveThatNoTemplateTells(t *testing.T) {
	recorder := record.NewFakeRecorder(10)
	w := &waves{Reconciler: &Reconciler{recorder: recorder}}
	plan := &wave.Plan{State: v1alpha1.WaveStopped, Message: "Look at shop/a.", Stops: []*wave.Member{{Component: demo("a", "go")}}}
	there := wave.At([]v1alpha1.ComponentTemplate{{ObjectMeta: metav1.ObjectMeta{Name: "base"}}}, nil)
	for range 2 {
		now := map[string]string{}
		w.tellMembers(there, []string{"base"}, plan, now)
		w.tellMembers(there, []string{"", "old"}, plan, now)
		w.told = now
	}
	const want = "Warning WaveStopped The wave stopped of a new version of the controller and the deletion of ComponentTemplate old. " +
		"Look at shop/a."
	if have := <-recorder.Events; have != want {
		t.Errorf("it tells %q, want %q", have, want)
	}
	if len(recorder.Events) > 0 {
		t.Errorf("and %q", <-recorder.Events)
	}
}
