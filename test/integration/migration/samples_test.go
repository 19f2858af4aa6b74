package migration

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/migration/publish"
)

// The folders below testdata/samples once went wrong when they were published.

func samplePublisher() *publish.Publisher {
	return &publish.Publisher{Control: plane, Clock: clock.RealClock{}, Member: func(context.Context, string) (client.Client, error) {
		return plane, nil
	}}
}

// publishSample a folder as it is, or without some of its files.
func publishSample(t *testing.T, folder, namespace string, clusters ...string) (publish.Result, error) {
	t.Helper()
	bundle, err := publish.Load(os.DirFS("testdata/samples/" + folder))
	if err != nil {
		return publish.Result{}, err
	}
	return samplePublisher().Release(t.Context(), namespace, bundle, clusters)
}

// An autoscaler that comes into the folder drops no replicas: five stay five.
func TestSampleAutoscalerAdded(t *testing.T) {
	t.Parallel()
	namespace(t, "case-a3")
	content, err := os.ReadFile("testdata/samples/autoscaler-added/app/web.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := samplePublisher().Release(t.Context(), "case-a3", folderOf(t, string(content)), []string{"member1"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := publishSample(t, "autoscaler-added/app", "case-a3", "member1"); err != nil {
			t.Fatal(err)
		}
		live := &unstructured.Unstructured{}
		live.SetAPIVersion("apps/v1")
		live.SetKind("Deployment")
		if err := plane.Get(t.Context(), client.ObjectKey{Namespace: "case-a3", Name: "web"}, live); err != nil {
			t.Fatal(err)
		}
		if replicas, _ := policy.Replicas(live); replicas != 5 {
			t.Errorf("%d replicas, want the five that there were", replicas)
		}
	}
}

// What is everybody's, and what names another namespace than the release's, is refused before anything is written.
func TestSampleForeignNamespace(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ folder, namespace, want string }{
		"everybody's": {"foreign-namespace/app", "case-a5", "clusterrole/case-a5 is no object of a namespace"},
		"a forgotten namespace": {
			"foreign-namespace/forgotten-namespace", "default", "deployment/web is in namespace case-a1, and the release in default",
		},
	} {
		t.Run(name, func(t *testing.T) {
			namespace(t, tc.namespace)
			result, err := publishSample(t, tc.folder, tc.namespace, "member1", "member2")
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(result.Written) > 0 {
				t.Errorf("error %v, written %v, want %q and nothing", err, result.Written, tc.want)
			}
		})
	}
	for _, object := range []client.Object{&rbacv1.ClusterRole{}, &corev1.ConfigMap{}} {
		key := client.ObjectKey{Name: "case-a5"}
		if _, is := object.(*corev1.ConfigMap); is {
			key = client.ObjectKey{Namespace: "default", Name: "only3"}
		}
		if err := plane.Get(t.Context(), key, object); client.IgnoreNotFound(err) != nil || err == nil {
			t.Errorf("%T %s was written: %v", object, key, err)
		}
	}
}

// What could not be rolled back, or kept apart, with a federated application is refused with a remedy, and nothing of it is written.
func TestSamplesOfFederatedReleases(t *testing.T) {
	t.Parallel()
	for folder, tc := range map[string]struct {
		namespace, want string
		unwritten       client.Object
	}{
		"new-secret-differs/app": {
			"case-a8", "secret/cert cannot be federated: its content differs between clusters", &corev1.Secret{},
		},
		"rollback-of-other-kinds/app": {
			"case-a7", "networkpolicy/web: networking.k8s.io/v1 NetworkPolicy is no kind that a migration carries", &networkingv1.NetworkPolicy{},
		},
	} {
		t.Run(tc.namespace, func(t *testing.T) {
			clusters := map[string][]*unstructured.Unstructured{}
			for _, cluster := range []string{"member1", "member2"} {
				clusters[cluster] = []*unstructured.Unstructured{parsed(t, fmt.Sprintf(deploymentText, "1", mode), tc.namespace)}
			}
			takenOver(t, tc.namespace, clusters)
			result, err := publishSample(t, folder, tc.namespace)
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(result.Written) > 0 {
				t.Errorf("error %v, written %v, want %q and nothing", err, result.Written, tc.want)
			}
			for _, name := range []string{"cert", "web"} {
				err := plane.Get(t.Context(), client.ObjectKey{Namespace: tc.namespace, Name: name}, tc.unwritten)
				if client.IgnoreNotFound(err) != nil || err == nil {
					t.Errorf("%T %s was written: %v", tc.unwritten, name, err)
				}
			}
		})
	}
}
