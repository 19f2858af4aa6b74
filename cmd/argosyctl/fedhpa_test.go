package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

func fedHPAs(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{autoscalingv1alpha1.AddToScheme, workv1alpha2.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	web := &autoscalingv1alpha1.FedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: autoscalingv1alpha1.FedHPASpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
		},
		Status: autoscalingv1alpha1.FedHPAStatus{MinReplicas: 4, MaxReplicas: 20, Clusters: []autoscalingv1alpha1.FedHPAClusterStatus{
			{Name: "member1", State: autoscalingv1alpha1.ClusterActive, MinReplicas: 4, MaxReplicas: 20, CurrentReplicas: 5, DesiredReplicas: 6},
		}},
	}
	binding := &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-deployment"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
			Replicas: 5, Clusters: []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 5}},
		},
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(web, binding).Build()
}

// TestExplainWhatIsNotThere: a name that is wrong or missing is answered with those there are.
func TestExplainWhatIsNotThere(t *testing.T) {
	for name, tc := range map[string]struct {
		key  client.ObjectKey
		want string
	}{
		"no name": {client.ObjectKey{Namespace: "shop"}, "name a FedHPA: namespace shop of the control plane has web"},
		"a wrong name": {
			client.ObjectKey{Namespace: "shop", Name: "wbe"}, "FedHPA wbe does not exist: namespace shop of the control plane has web",
		},
		"a wrong namespace": {
			client.ObjectKey{Namespace: "default", Name: "web"},
			"FedHPA web does not exist: namespace default of the control plane has none; name another with -n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := explanationOf(t.Context(), fedHPAs(t), tc.key); err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// TestExplainForPrograms: -o json bears the same as the text.
func TestExplainForPrograms(t *testing.T) {
	explanation, err := explanationOf(t.Context(), fedHPAs(t), client.ObjectKey{Namespace: "shop", Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	explanation.WhatIf = &split.Range{Min: 4, Max: 40}
	var out bytes.Buffer
	if done, err := structured(&out, "json", explanation.Account()); err != nil || !done {
		t.Fatal(done, err)
	}
	var got struct{ Books, WhatIf any }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := struct{ Books, WhatIf any }{
		Books: map[string]any{"schedulingResult": map[string]any{"member1": 5.0}, "replicas": 5.0, "membersAsk": map[string]any{"member1": 6.0}},
		WhatIf: map[string]any{"minReplicas": 4.0, "maxReplicas": 40.0, "reserveReplicas": 20.0, "minUnplaced": 0.0,
			"clusters": []any{map[string]any{"name": "member1", "minReplicas": 4.0, "maxReplicas": 20.0}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestExplainOtherLimits(t *testing.T) {
	fed := &autoscalingv1alpha1.FedHPA{Status: autoscalingv1alpha1.FedHPAStatus{MinReplicas: 4, MaxReplicas: 20}}
	for name, tc := range map[string]struct {
		args      []string
		want      *split.Range
		wantError string
	}{
		"none":                 {},
		"the other in force":   {args: []string{"--max=40"}, want: &split.Range{Min: 4, Max: 40}},
		"both":                 {args: []string{"--min=2", "--max=3"}, want: &split.Range{Min: 2, Max: 3}},
		"crossed":              {args: []string{"--min=30"}, wantError: "--min 30 and --max 20 are not 1 <= min <= max <= 100000"},
		"more than is divided": {args: []string{"--max=2000000000"}, wantError: "are not 1 <= min <= max"},
	} {
		t.Run(name, func(t *testing.T) {
			command := newFedHPAExplainCommand(genericclioptions.NewConfigFlags(true), genericiooptions.NewTestIOStreamsDiscard())
			if err := command.ParseFlags(tc.args); err != nil {
				t.Fatal(err)
			}
			lo, _ := command.Flags().GetInt32("min")
			hi, _ := command.Flags().GetInt32("max")
			got, err := whatIf(command, fed, split.Range{Min: lo, Max: hi})
			if tc.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantError) {
					t.Errorf("error %v, want one that says %q", err, tc.wantError)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}
