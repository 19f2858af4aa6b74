package gates

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

// gatesOn are those of Karmada 1.18 that change how workloads are read and scheduled, alpha and off as it comes.
const gatesOn = "--feature-gates=MultiplePodTemplatesScheduling=true,PriorityBasedScheduling=true,SchedulingOvercommitProtection=true," +
	"WorkloadAffinity=true"

// shared is the package's federation: written by TestMain before any test runs.
var shared *lab.Lab

func TestMain(m *testing.M) {
	options := lab.DefaultOptions()
	// Eight pods of podCPU fit into each member, and Karmada's resource models, which count a node by its scarcest resource in powers of
	// two, say so too: a node of less memory would be counted as one of half its processors.
	options.Nodes, options.NodeCPU, options.NodeMemory = []int{4, 4}, "8", "128Gi"
	options.Metrics = false
	options.Flags = map[string][]string{"karmada/controller-manager": {gatesOn}, "karmada/scheduler": {gatesOn}}
	os.Exit(lab.Main(m, options, func(l *lab.Lab) { shared = l }))
}

// story is a namespace of its own in the federation.
type story struct {
	t       *testing.T
	ns      string
	karmada client.Client
	members map[string]client.Client
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, ns: strings.ToLower(t.Name()), members: map[string]client.Client{}}
	for _, name := range append([]string{lab.KarmadaPlaneName}, shared.Members...) {
		c, err := demo.Client(shared, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name == lab.KarmadaPlaneName {
			s.karmada = c
		} else {
			s.members[name] = c
		}
	}
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}
	if err := s.karmada.Create(t.Context(), object); err != nil {
		t.Fatalf("making namespace %s: %v", s.ns, err)
	}
	// What a story leaves takes the room of the next: it is gone when the story ends.
	t.Cleanup(s.end)
	s.known()
	return s
}

// known waits until karmada-scheduler asks every member's estimator, and its own estimate goes by all nodes. In a federation just started
// neither is so, and with the gate of priorities a binding that was looked at too early waits for minutes.
func (s *story) known() {
	s.t.Helper()
	want := fmt.Sprintf("%d members with 32 processors each", len(s.members))
	s.eventually(func() string {
		log, err := os.ReadFile(shared.LogFile("karmada/scheduler"))
		if err != nil {
			return err.Error()
		}
		known := 0
		for name := range s.members {
			cluster := &clusterv1alpha1.Cluster{}
			if err := s.karmada.Get(s.t.Context(), client.ObjectKey{Name: name}, cluster); err != nil {
				return err.Error()
			}
			summary := cluster.Status.ResourceSummary
			if summary != nil && summary.Allocatable.Cpu().String() == "32" &&
				strings.Contains(string(log), fmt.Sprintf("of cluster(%s) has been established", name)) {
				known++
			}
		}
		return fmt.Sprintf("%d members with 32 processors each", known)
	}, want)
}

func (s *story) end() {
	ctx := context.Background()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}
	if err := s.karmada.Delete(ctx, object); err != nil && !apierrors.IsNotFound(err) {
		s.t.Errorf("deleting namespace %s: %v", s.ns, err)
	}
	s.eventually(func() string {
		left := 0
		for _, member := range s.members {
			var pods corev1.PodList
			if err := member.List(ctx, &pods, client.InNamespace(s.ns)); err != nil {
				return err.Error()
			}
			left += len(pods.Items)
		}
		return fmt.Sprintf("%d pods", left)
	}, "0 pods")
	// Karmada's own estimate goes by what a Cluster's status says, which comes some seconds later.
	s.eventually(func() string {
		taken := resource.Quantity{}
		for name := range s.members {
			cluster := &clusterv1alpha1.Cluster{}
			if err := s.karmada.Get(ctx, client.ObjectKey{Name: name}, cluster); err != nil {
				return err.Error()
			}
			if summary := cluster.Status.ResourceSummary; summary != nil {
				taken.Add(summary.Allocated[corev1.ResourceCPU])
				taken.Add(summary.Allocating[corev1.ResourceCPU])
			}
		}
		return taken.String() + " processors are taken"
	}, "0 processors are taken")
}

func (s *story) apply(manifests string) {
	s.t.Helper()
	if err := demo.Apply(s.t.Context(), s.karmada, strings.ReplaceAll(manifests, "$NS", s.ns)); err != nil {
		s.t.Fatal(err)
	}
}
