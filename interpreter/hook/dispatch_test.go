package hook

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/interpreter"
)

const dividedManifest = `{"apiVersion":"apps.kruise.io/v1alpha1","kind":"CloneSet",
	"metadata":{"name":"web","namespace":"shop","annotations":{
	"interpreter.argosy.dev/divided":"partition=3","interpreter.argosy.dev/partition-by-cluster":"member1=3,member2=2"}},
	"spec":{"replicas":3,"other":1.5,"updateStrategy":{"partition":3}}}`

func TestDispatchHandler(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := workv1alpha1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	works, err := NewWorksMetric(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	d := &Dispatch{Decoder: admission.NewDecoder(scheme), Catalog: interpreter.NewCatalog(interpreter.Families()), Works: works}
	for name, tc := range map[string]struct {
		namespace, manifest string
		want                float64
		unchanged           bool
		wantErr             string
	}{
		"the second member":   {namespace: "karmada-es-member2", manifest: dividedManifest, want: 2},
		"the first, as it is": {namespace: "karmada-es-member1", manifest: dividedManifest, want: 3, unchanged: true},
		"nobody's":            {namespace: "shop", manifest: dividedManifest, want: 3, unchanged: true},
		"a cluster without a part": {
			namespace: "karmada-es-member3", manifest: dividedManifest,
			wantErr: "spec.workload.manifests[0], CloneSet shop/web: metadata.annotations[interpreter.argosy.dev/partition-by-cluster]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw := []byte(`{"apiVersion":"work.karmada.io/v1alpha1","kind":"Work","metadata":{"name":"web"},"spec":{"workload":{"manifests":[` +
				tc.manifest + `]}}}`)
			request := admission.Request{
				AdmissionRequest: admissionv1.AdmissionRequest{Namespace: tc.namespace, Object: runtime.RawExtension{Raw: raw}},
			}
			got := d.Handle(t.Context(), request)
			if tc.wantErr != "" {
				if got.Allowed || got.Result.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Result.Message, tc.wantErr) {
					t.Errorf("answer %+v, want a refusal that says %q", got.Result, tc.wantErr)
				}
				return
			}
			if !got.Allowed || (got.Patch == nil) != tc.unchanged {
				t.Fatalf("answer %+v", got)
			}
			if got.Patch != nil {
				patch, err := jsonpatch.DecodePatch(got.Patch)
				if err != nil {
					t.Fatal(err)
				}
				if raw, err = patch.Apply(raw); err != nil {
					t.Fatal(err)
				}
			}
			var work struct {
				Spec struct {
					Workload struct {
						Manifests []struct {
							Spec struct {
								Other          float64
								UpdateStrategy struct{ Partition float64 }
							}
						}
					}
				}
			}
			if err := json.Unmarshal(raw, &work); err != nil {
				t.Fatal(err)
			}
			if spec := work.Spec.Workload.Manifests[0].Spec; spec.UpdateStrategy.Partition != tc.want || spec.Other != 1.5 {
				t.Errorf("spec %+v, want partition %v and all else as it was", spec, tc.want)
			}
		})
	}
}
