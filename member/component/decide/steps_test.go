package decide

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/member/component/adopt"
	"github.com/argosy-dev/argosy/member/component/render"
)

func demo() *v1alpha1.Component {
	return &v1alpha1.Component{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "demo", UID: "demo-uid", Generation: 3},
		Spec: v1alpha1.ComponentSpec{
			WorkloadType: v1alpha1.WorkloadDeployment, DevelopLanguage: "python", RunType: "server", Image: "demo:1", Port: 8080,
		},
	}
}

func input(t *testing.T, component *v1alpha1.Component) *Input {
	t.Helper()
	objects, report, err := render.Render(component, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Input{Component: component, Objects: objects, Report: report, Live: map[Key]*unstructured.Unstructured{}}
}

// live is the rendered object as it is in the cluster, with an owner.
func (in *Input) live(t *testing.T, key Key, owner types.UID) *unstructured.Unstructured {
	t.Helper()
	at := slices.IndexFunc(in.Objects, func(o render.Object) bool { return KeyOf(&o) == key })
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": key.Kind}}
	hash := "old"
	if at >= 0 {
		o.Object, hash = (&unstructured.Unstructured{Object: in.Objects[at].Content}).DeepCopy().Object, in.Objects[at].Hash
	}
	o.SetName(key.Name)
	o.SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: hash})
	if owner != "" {
		controller := true
		o.SetOwnerReferences([]metav1.OwnerReference{{Kind: "Component", Name: "demo", UID: owner, Controller: &controller}})
	}
	in.Live[key] = o
	return o
}

func summary(s Steps) string {
	var out []string
	for _, a := range s.Apply {
		out = append(out, "apply "+KeyOf(a.Object).String())
	}
	for _, d := range s.Delete {
		out = append(out, "delete "+d.GetKind()+" "+d.GetName())
	}
	for _, r := range s.Release {
		out = append(out, "release "+r.GetKind()+" "+r.GetName())
	}
	for _, b := range s.Blocked {
		out = append(out, b.Reason+" "+b.Key.String())
	}
	return fmt.Sprint(out)
}

func TestDecide(t *testing.T) {
	deployment, service := Key{"Deployment", "demo"}, Key{"Service", "demo"}
	for name, tc := range map[string]struct {
		given func(*testing.T, *Input)
		want  string
	}{
		"nothing is there": {func(*testing.T, *Input) {}, "[apply Service demo apply Deployment demo]"},
		"all is as rendered": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "demo-uid")
			in.live(t, service, "demo-uid")
		}, "[]"},
		"a hand changed one": {func(t *testing.T, in *Input) {
			in.live(t, service, "demo-uid")
			o := in.live(t, deployment, "demo-uid")
			_ = unstructured.SetNestedField(o.Object, int64(9), "spec", "replicas")
		}, "[apply Deployment demo]"},
		"what is not ours any more in the rendering goes, what never was stays": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "demo-uid")
			in.live(t, service, "demo-uid")
			in.live(t, Key{"Ingress", "demo"}, "demo-uid")
			in.live(t, Key{"Ingress", "other"}, "")
			in.live(t, Key{"ConfigMap", "demo"}, "another-uid")
		}, "[delete Ingress demo]"},
		"a namesake's leftovers": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "another-uid")
		}, "[ObjectTaken Deployment demo]"},
		"a foreign Service keeps the workload from nothing": {func(t *testing.T, in *Input) {
			in.live(t, service, "")
		}, "[apply Deployment demo ObjectTaken Service demo]"},
		"a foreign workload keeps all": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "")
			in.live(t, Key{"Ingress", "demo"}, "demo-uid")
		}, "[ObjectTaken Deployment demo]"},
		"nothing was rendered": {func(t *testing.T, in *Input) {
			in.RenderErr = fmt.Errorf("a template does not fit")
			in.live(t, deployment, "demo-uid")
		}, "[]"},
		"opted out": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "demo-uid")
			in.live(t, service, "")
			in.Component.Annotations = map[string]string{v1alpha1.AnnotationUnmanaged: "true"}
		}, "[release Deployment demo]"},
		"let go, and taken back": {func(t *testing.T, in *Input) {
			o := in.live(t, deployment, "")
			in.live(t, service, "demo-uid")
			o.SetLabels(map[string]string{v1alpha1.LabelComponent: "demo"})
			o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: v1alpha1.FieldManager, Operation: "Apply"}})
		}, "[apply Deployment demo]"},
		"asked to adopt what would restart": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "")
			in.Verdicts = map[Key]adopt.Verdict{deployment: {Restart: true, Differences: "spec.replicas is 2 and would be 1"}}
		}, "[AdoptionWouldRestart Deployment demo]"},
		"asked to adopt what would restart, knowingly": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "")
			in.live(t, service, "demo-uid")
			in.Verdicts = map[Key]adopt.Verdict{deployment: {Restart: true}}
			in.Component.Annotations = map[string]string{v1alpha1.AnnotationAdoptWithRestart: "true"}
		}, "[apply Deployment demo]"},
		"the old workload waits for the adopted one": {func(t *testing.T, in *Input) {
			in.live(t, deployment, "demo-uid")
			in.live(t, service, "demo-uid")
			in.live(t, Key{"Deployment", "before"}, "demo-uid")
		}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, demo())
			tc.given(t, in)
			if name == "the old workload waits for the adopted one" {
				in.Live[deployment].SetGeneration(2) // observed is 0
			}
			if have := summary(Decide(in)); have != tc.want {
				t.Errorf("steps %s, want %s", have, tc.want)
			}
		})
	}
}

// TestNothingForeignIsTouched: of any mixture of objects and owners, what is changed, deleted or let go is ours, was asked
// for, or was not there.
func TestNothingForeignIsTouched(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	owners := []types.UID{"", "demo-uid", "another-uid"}
	for range 20_000 {
		in := input(t, demo())
		for _, kind := range []string{"Deployment", "StatefulSet", "Service", "Ingress", "ConfigMap"} {
			for _, name := range []string{"demo", "other"} {
				if r.IntN(2) == 0 {
					in.live(t, Key{kind, name}, owners[r.IntN(len(owners))])
				}
			}
		}
		if r.IntN(5) == 0 {
			in.Component.Annotations = map[string]string{v1alpha1.AnnotationUnmanaged: "true"}
		}
		steps := Decide(in)
		for _, a := range steps.Apply {
			if a.Live != nil && OwnerOf(a.Live, in.Component) != Ours {
				t.Fatalf("%s is written, which is not ours", KeyOf(a.Object))
			}
		}
		for _, o := range append(steps.Delete, steps.Release...) {
			if OwnerOf(o, in.Component) != Ours {
				t.Fatalf("%s %s is touched, which is not ours", o.GetKind(), o.GetName())
			}
		}
		if in.Unmanaged() && len(steps.Apply)+len(steps.Delete) > 0 {
			t.Fatal("an unmanaged Component acts")
		}
	}
}

func TestSame(t *testing.T) {
	rendered := fixture.Parse(t, `{spec: {replicas: 2,
		list: [{name: a, resources: {requests: {cpu: 1000m}}, env: [{name: X, value: "1.0"}]}]}}`).Map()
	object := &render.Object{Content: rendered, Hash: "h"}
	for name, tc := range map[string]struct {
		live string
		hash string
		want bool
	}{
		"defaults and strangers beside it": {
			`{status: {a: 1}, spec: {replicas: 2, more: x,
				list: [{name: a, default: y, resources: {requests: {cpu: "1"}}, env: [{name: X, value: "1.0"}]}]}}`, "h", true,
		},
		"another number": {
			`{spec: {replicas: 3, list: [{name: a, resources: {requests: {cpu: "1"}}, env: [{name: X, value: "1.0"}]}]}}`, "h", false,
		},
		"a text that is no amount": {
			`{spec: {replicas: 2, list: [{name: a, resources: {requests: {cpu: "1"}}, env: [{name: X, value: "1"}]}]}}`, "h", false,
		},
		"one entry more": {
			`{spec: {replicas: 2,
				list: [{name: a, resources: {requests: {cpu: "1"}}, env: [{name: X, value: "1.0"}]}, {name: b}]}}`, "h", false,
		},
		"applied as something else": {
			`{spec: {replicas: 2, list: [{name: a, resources: {requests: {cpu: "1"}}, env: [{name: X, value: "1.0"}]}]}}`, "g", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			live := fixture.Parse(t, tc.live).Annotation(v1alpha1.AnnotationRenderedHash, tc.hash).Unstructured()
			if have := Same(live, object); have != tc.want {
				t.Errorf("same: %v", have)
			}
		})
	}
}

// TestNothingToAdopt: a name in spec.adopt that nothing bears is likely a mistake: what is made in its place runs beside what was meant.
func TestNothingToAdopt(t *testing.T) {
	of := func(edit func(*Input)) string {
		c := demo()
		c.Spec.Adopt = &v1alpha1.Adopt{Workload: "old", Selector: map[string]string{"app": "old"}}
		in := input(t, c)
		edit(in)
		var out []string
		for _, step := range Decide(in).Apply {
			if NothingToAdopt(in, &step) {
				out = append(out, KeyOf(step.Object).String())
			}
		}
		return fmt.Sprint(out)
	}
	for name, tc := range map[string]struct {
		edit func(*Input)
		want string
	}{
		"nothing of that name":    {func(*Input) {}, "[Deployment old]"},
		"its Service is not ours": {func(in *Input) { in.Component.Spec.Adopt.Service = "demo" }, "[Service demo Deployment old]"},
		"it runs": {func(in *Input) {
			in.live(t, in.Workload(), "")
			in.Verdicts = map[Key]adopt.Verdict{in.Workload(): {}}
		}, "[]"},
		"taken over, and deleted since": {func(in *Input) {
			in.Component.Status.Resources = []v1alpha1.RenderedResource{{Kind: "Deployment", Name: "old"}}
		}, "[]"},
		"no adoption": {func(in *Input) { in.Component.Spec.Adopt = nil }, "[]"},
	} {
		if have := of(tc.edit); have != tc.want {
			t.Errorf("%s: %s, want %s", name, have, tc.want)
		}
	}
}
