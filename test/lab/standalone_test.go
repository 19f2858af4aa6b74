package lab

import (
	"context"
	"errors"
	"syscall"
	"testing"

	karmadapolicy "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestStartAPIServer(t *testing.T) {
	var pids []int
	t.Run("serves Karmada's kinds", func(t *testing.T) {
		s := StartAPIServer(t, KarmadaPlane())
		for _, child := range s.children {
			pids = append(pids, child.PID())
		}
		scheme := runtime.NewScheme()
		if err := karmadapolicy.Install(scheme); err != nil {
			t.Fatal(err)
		}
		c, err := client.New(s.Config, client.Options{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		policy := &karmadapolicy.PropagationPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"},
			Spec: karmadapolicy.PropagationSpec{ResourceSelectors: []karmadapolicy.ResourceSelector{
				{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
			}},
		}
		if err := c.Create(context.Background(), policy); err != nil {
			t.Fatalf("creating a PropagationPolicy: %v", err)
		}
	})
	if len(pids) != 2 {
		t.Fatalf("started %d processes, want etcd and kube-apiserver", len(pids))
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left behind after the test: %v", pid, err)
		}
	}
}
