package kruise

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

const podTemplate = "{spec: {containers: [{name: main, image: app, envFrom: [{configMapRef: {name: settings}}]}]}}"

func TestDependencies(t *testing.T) {
	settings := []configv1alpha1.DependentObjectReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "settings"}}
	object := func(kind string) fixture.Object {
		return fixture.Parse(t, "apiVersion: apps.kruise.io/v1alpha1\nkind: "+kind+"\nmetadata: {name: app, namespace: shop}\nspec: {}\n")
	}
	for name, tc := range map[string]struct {
		family *family.Family
		object fixture.Object
		want   []configv1alpha1.DependentObjectReference
	}{
		"BroadcastJob": {BroadcastJob(), object("BroadcastJob").WithYAML(podTemplate, "spec", "template"), settings},
		"BroadcastJob of nothing": {
			BroadcastJob(), object("BroadcastJob").WithYAML("{spec: {containers: [{name: main}]}}", "spec", "template"), nil,
		},
		"AdvancedCronJob of a Job": {
			AdvancedCronJob(), object("AdvancedCronJob").WithYAML(podTemplate, "spec", "template", "jobTemplate", "spec", "template"), settings,
		},
		"AdvancedCronJob of a BroadcastJob": {
			AdvancedCronJob(), object("AdvancedCronJob").WithYAML(podTemplate, "spec", "template", "broadcastJobTemplate", "spec", "template"),
			settings,
		},
		"AdvancedCronJob of nothing": {AdvancedCronJob(), object("AdvancedCronJob"), nil},
		"UnitedDeployment of CloneSets": {
			UnitedDeployment(), object("UnitedDeployment").WithYAML(podTemplate, "spec", "template", "cloneSetTemplate", "spec", "template"),
			settings,
		},
		"UnitedDeployment of StatefulSets": {
			UnitedDeployment(),
			object("UnitedDeployment").WithYAML("{volumeClaimTemplates: [{metadata: {name: data}}], template: "+podTemplate+"}", "spec", "template",
				"statefulSetTemplate", "spec"),
			settings,
		},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := tc.family.InterpretDependency(tc.object.Unstructured())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestAggregateStatus(t *testing.T) {
	template := fixture.Parse(t, `
apiVersion: apps.kruise.io/v1alpha1
kind: UnitedDeployment
metadata: {name: app, generation: 2}
spec: {selector: {matchLabels: {app: web}}}
`)
	for name, tc := range map[string]struct {
		members []family.Member
		want    string
	}{
		"nobody has reported": {
			want: `{observedGeneration: 2, replicas: 0, readyReplicas: 0, updatedReplicas: 0,
				updatedReadyReplicas: 0, currentRevision: "", labelSelector: app=web}`,
		},
		"two members": {
			members: []family.Member{
				{
					Cluster: "a", Status: map[string]any{
						"replicas": int64(3), "readyReplicas": int64(3), "updatedReplicas": int64(3), "currentRevision": "r1",
						"subsetReplicas": map[string]any{"x": int64(2), "z": int64(1)},
					},
				},
				{Cluster: "b", Status: map[string]any{"replicas": int64(2), "currentRevision": "r1", "subsetReplicas": map[string]any{"x": int64(2)}}},
			},
			want: `{observedGeneration: 0, replicas: 5, readyReplicas: 3, updatedReplicas: 3,
				updatedReadyReplicas: 0, currentRevision: r1, labelSelector: app=web, subsetReplicas: {x: 4, z: 1}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := template.Unstructured()
			edits, err := UnitedDeployment().AggregateStatus(object, tc.members)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(template.WithYAML(tc.want, "status").Map(), fixture.Edited(t, object, edits)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}
