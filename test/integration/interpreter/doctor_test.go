package interpreter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab/pki"
)

// finding is what a test compares of the doctor's output.
type finding struct{ Severity, Check, Object string }

// doctor runs the real argosyctl and returns its findings and exit code.
func doctor(t *testing.T) ([]finding, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(plane.Bin, "argosyctl"), "doctor", "--kubeconfig", plane.Kubeconfig, "-o", "json")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var report struct{ Findings []finding }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s", err, out.Bytes(), errOut.Bytes())
	}
	return report.Findings, cmd.ProcessState.ExitCode()
}

// TestDoctor spoils a healthy installation in one way after the other.
func TestDoctor(t *testing.T) {
	const registrationName = "ResourceInterpreterWebhookConfiguration/argosy"
	if found, code := doctor(t); code != 1 || !slices.Contains(found, finding{"Problem", "registration", registrationName}) {
		t.Fatalf("without a registration: exit code %d, findings %v", code, found)
	}
	w := plane.StartWebhook(t)
	registration := w.Registration()
	create(t, registration)
	if found,
		code := doctor(t); code != 1 || !slices.Contains(found, finding{"Problem", "works", "MutatingWebhookConfiguration/argosy-dispatch"}) {
		t.Fatalf("without the admission of Works: exit code %d, findings %v", code, found)
	}
	dispatching(t, w)
	if found, code := doctor(t); code != 0 || len(found) != 0 {
		t.Fatalf("a healthy installation: exit code %d, findings %v", code, found)
	}

	stranger, err := pki.NewAuthority("stranger", time.Now()) //nolint:forbidigo // a certificate is valid from the real now
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		spoil func(*testing.T)
		want  []finding
	}{
		"a caBundle of another authority": {
			spoil: func(t *testing.T) {
				changed(t, registration, func() {
					for i := range registration.Webhooks {
						registration.Webhooks[i].ClientConfig.CABundle = stranger.PEM
					}
				})
			},
			want: []finding{{"Problem", "certificate", registrationName}},
		},
		"no timeout": {
			spoil: func(t *testing.T) {
				changed(t, registration, func() { registration.Webhooks[0].TimeoutSeconds = nil })
			},
			want: []finding{{"Problem", "timeout", registrationName}},
		},
		"a second webhook": {
			spoil: func(t *testing.T) {
				second := w.Registration()
				second.ObjectMeta = metav1.ObjectMeta{Name: "second"}
				second.Webhooks = second.Webhooks[:1]
				create(t, second)
			},
			want: []finding{{"Problem", "second-webhook", "ResourceInterpreterWebhookConfiguration/second"}},
		},
		"a customization": {
			spoil: func(t *testing.T) {
				create(t, &configv1alpha1.ResourceInterpreterCustomization{
					ObjectMeta: metav1.ObjectMeta{Name: "stray"},
					Spec: configv1alpha1.ResourceInterpreterCustomizationSpec{
						Target:         configv1alpha1.CustomizationTarget{APIVersion: "apps.kruise.io/v1beta1", Kind: "StatefulSet"},
						Customizations: configv1alpha1.CustomizationRules{ReplicaRevision: &configv1alpha1.ReplicaRevision{LuaScript: "x"}},
					},
				})
			},
			want: []finding{{"Problem", "customization", "ResourceInterpreterCustomization/stray"}},
		},
		"a kind without status subresource": {
			spoil: func(t *testing.T) {
				crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "clonesets.apps.kruise.io"}}
				changed(t, crd, func() { crd.Spec.Versions[0].Subresources.Status = nil })
			},
			want: []finding{{"Problem", "status-subresource", "CustomResourceDefinition/clonesets.apps.kruise.io"}},
		},
		"an HPA in members beside a Deployment whose replicas Karmada writes": {
			spoil: func(t *testing.T) {
				ns := namespace(t)
				create(t, deployment(ns))
				create(t, &autoscalingv2.HorizontalPodAutoscaler{
					ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "api",
						Annotations: map[string]string{policyv1alpha1.PropagationPolicyNameAnnotation: "shop"}},
					Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 5, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
						APIVersion: "apps/v1", Kind: "Deployment", Name: "api"}},
				})
			},
			want: []finding{{"Problem", "autoscaler", "HorizontalPodAutoscaler/NAMESPACE/api"}},
		},
		"two StatefulSets of one name": {
			spoil: func(t *testing.T) {
				ns := namespace(t)
				labels := map[string]string{"app": "db"}
				template := corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "db", Image: "db:1"}}},
				}
				native := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "db"},
					Spec: appsv1.StatefulSetSpec{Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
				create(t, native)
				advanced := cloneSet(ns)
				advanced.SetAPIVersion("apps.kruise.io/v1beta1")
				advanced.SetKind("StatefulSet")
				advanced.SetName("db")
				create(t, advanced)
				b := binding(&unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"namespace": ns, "name": "db"},
				}}, policyv1alpha1.ReplicaSchedulingTypeDivided, workv1alpha2.TargetCluster{Name: "member1", Replicas: 1})
				b.Name = "db-statefulset"
				create(t, b)
			},
			want: []finding{{"Problem", "binding-name", "StatefulSet/NAMESPACE/db"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spoil(t)
			found, code := doctor(t)
			for i := range found {
				if of := strings.Split(found[i].Object, "/"); len(of) == 3 {
					found[i].Object = of[0] + "/NAMESPACE/" + of[2]
				}
			}
			if diff := cmp.Diff(tc.want, found); diff != "" || code != 1 {
				t.Errorf("exit code %d, findings (-want +got):\n%s", code, diff)
			}
		})
	}
	if found, code := doctor(t); code != 0 || len(found) != 0 {
		t.Errorf("after all is put right: exit code %d, findings %v", code, found)
	}
}

// changed updates an object, and puts it back when the test ends. The API server itself writes into CRDs meanwhile.
func changed(t *testing.T, object client.Object, change func()) {
	t.Helper()
	var before client.Object
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := plane.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		before = object.DeepCopyObject().(client.Object)
		change()
		return plane.Client.Update(t.Context(), object)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			now := before.DeepCopyObject().(client.Object)
			if err := plane.Client.Get(context.Background(), client.ObjectKeyFromObject(before), now); err != nil {
				return err
			}
			before.SetResourceVersion(now.GetResourceVersion())
			return plane.Client.Update(context.Background(), before)
		})
		if err != nil {
			t.Error(err)
		}
	})
}
