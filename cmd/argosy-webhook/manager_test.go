package main

import (
	"errors"
	"io/fs"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
)

func TestManagerOptions(t *testing.T) {
	options := managerOptions(runtime.NewScheme(), config.DefaultWebhook(), "127.0.0.1:6060")
	if options.PprofBindAddress != "127.0.0.1:6060" {
		t.Errorf("profiles at %q", options.PprofBindAddress)
	}
	fixture.KeepsNoManagedFields(t, options.Cache)
	kept, err := options.Cache.DefaultTransform(&clusterv1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Name: "member1"},
		Status:     clusterv1alpha1.ClusterStatus{APIEnablements: []clusterv1alpha1.APIEnablement{{GroupVersion: "v1"}}},
	})
	if err != nil || kept.(*clusterv1alpha1.Cluster).Status.APIEnablements != nil {
		t.Errorf("of a Cluster its APIs are kept, %v: %+v", err, kept)
	}
}

// The flag of the profiles is one of this program's: its start goes on to the configuration.
func TestProfilesFlag(t *testing.T) {
	if err := run([]string{"--pprof-bind-address=:6060", "--config=nosuch"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the configuration is not there", err)
	}
}
