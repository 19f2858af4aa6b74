package podtemplate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// workload is an object whose pod template has this spec.
func workload(t *testing.T, spec string) map[string]any {
	t.Helper()
	var parsed map[string]any
	if err := yaml.Unmarshal([]byte(spec), &parsed); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"spec": map[string]any{"template": map[string]any{"spec": parsed}}}
}

func amounts(pairs ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func TestRequirements(t *testing.T) {
	for name, tc := range map[string]struct {
		spec    string
		want    workv1alpha2.ReplicaRequirements
		wantErr string
	}{
		"nothing asked": {spec: `{containers: [{name: web}]}`},
		"containers add up": {
			spec: `{containers: [{resources: {requests: {cpu: 250m, memory: 1Gi}}}, {resources: {requests: {cpu: 1}}}]}`,
			want: workv1alpha2.ReplicaRequirements{ResourceRequest: amounts("cpu", "1250m", "memory", "1Gi")},
		},
		"a limit without a request is a request": {
			spec: `{containers: [{resources: {requests: {cpu: 250m}, limits: {cpu: 1, memory: 1Gi}}}]}`,
			want: workv1alpha2.ReplicaRequirements{ResourceRequest: amounts("cpu", "250m", "memory", "1Gi")},
		},
		"the largest init container counts when it is more": {
			spec: `{initContainers: [{resources: {requests: {cpu: 2}}}, {resources: {requests: {cpu: 3}}}],
				containers: [{resources: {requests: {cpu: 1, memory: 1Gi}}}]}`,
			want: workv1alpha2.ReplicaRequirements{ResourceRequest: amounts("cpu", "3", "memory", "1Gi")},
		},
		"a sidecar adds to the containers": {
			spec: `{initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 100m}}}], containers: [{resources: {requests: {cpu: 1}}}]}`,
			want: workv1alpha2.ReplicaRequirements{ResourceRequest: amounts("cpu", "1100m")},
		},
		"an init container runs beside the sidecars before it": {
			spec: `{initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 500m}}}, {resources: {requests: {cpu: 2}}}],
				containers: [{resources: {requests: {cpu: 1}}}]}`,
			want: workv1alpha2.ReplicaRequirements{ResourceRequest: amounts("cpu", "2500m")},
		},
		"overhead": {
			spec: `{overhead: {cpu: 100m}, containers: [{resources: {requests: {cpu: 1}}}]}`,
			want: workv1alpha2.ReplicaRequirements{ResourceRequest: amounts("cpu", "1100m")},
		},
		"the pod's own resources come first": {
			spec: `{resources: {requests: {cpu: 4}}, containers: [{resources: {requests: {cpu: 1, example.com/gpu: 2}}}]}`,
			want: workv1alpha2.ReplicaRequirements{ResourceRequest: amounts("cpu", "4", "example.com/gpu", "2")},
		},
		"where it may run": {
			spec: `
priorityClassName: production
nodeSelector: {pool: general}
tolerations: [{key: dedicated, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {
  nodeSelectorTerms: [{matchExpressions: [{key: arch, operator: In, values: [amd64]}]}]}}}`,
			want: workv1alpha2.ReplicaRequirements{
				PriorityClassName: "production",
				NodeClaim: &workv1alpha2.NodeClaim{
					NodeSelector: map[string]string{"pool": "general"},
					Tolerations:  []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}},
					HardNodeAffinity: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
						MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "arch", Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64"}}},
					}}},
				},
			},
		},
		"a preferred affinity is no requirement": {
			spec: `{affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}}`,
		},
		"no quantity": {
			spec:    `{containers: [{}, {resources: {requests: {cpu: much}}}]}`,
			wantErr: "spec.template.spec.containers[1].resources.requests.cpu: want a quantity such as 500m or 1Gi, have much",
		},
		"containers that are none":  {spec: `{containers: web}`, wantErr: `spec.template.spec.containers: want a list, have "web"`},
		"a container that is none":  {spec: `{initContainers: [web]}`, wantErr: "spec.template.spec.initContainers[0]: want an object"},
		"a toleration that is none": {spec: `{tolerations: [{key: [a]}]}`, wantErr: "spec.template.spec.tolerations[0]: "},
		"a selector of numbers":     {spec: `{nodeSelector: {pool: 1}}`, wantErr: "spec.template.spec.nodeSelector.pool: want a string, have 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Requirements(workload(t, tc.spec), "shop", "spec", "template")
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Namespace = "shop"
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	for name, tc := range map[string]struct {
		spec    string
		want    []string
		wantErr string
	}{
		"none": {spec: `{containers: [{name: web}]}`},
		"environment": {
			spec: `{containers: [{envFrom: [{configMapRef: {name: b}}, {secretRef: {name: s}}],
				env: [{name: A, value: x}, {valueFrom: {configMapKeyRef: {name: a}}}, {valueFrom: {secretKeyRef: {name: s}}}]}]}`,
			want: []string{"ConfigMap a", "ConfigMap b", "Secret s"},
		},
		"init containers too": {
			spec: `{initContainers: [{envFrom: [{configMapRef: {name: a}}]}]}`,
			want: []string{"ConfigMap a"},
		},
		"volumes": {
			spec: `{volumes: [{name: a, configMap: {name: a}}, {name: b, secret: {secretName: b}}, {name: c, persistentVolumeClaim: {claimName: c}},
				{name: d, emptyDir: {}}, {name: e, csi: {driver: x, nodePublishSecretRef: {name: e}}},
				{name: f, projected: {sources: [{configMap: {name: f}}, {secret: {name: g}}, {serviceAccountToken: {path: t}}]}}]}`,
			want: []string{"ConfigMap a", "ConfigMap f", "Secret b", "Secret e", "Secret g", "PersistentVolumeClaim c"},
		},
		"a claim template's volume is the workload's own": {
			spec: `{volumes: [{name: own, persistentVolumeClaim: {claimName: other}}]}`,
		},
		"pull secrets and the account": {
			spec: `{imagePullSecrets: [{name: registry}], serviceAccountName: web}`,
			want: []string{"Secret registry", "ServiceAccount web"},
		},
		"every namespace has its default account": {spec: `{serviceAccountName: default}`},
		"a name that is none": {
			spec: `{volumes: [{name: a, configMap: {name: 1}}]}`, wantErr: "spec.template.spec.volumes[0].configMap.name: want a string, have 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Dependencies(workload(t, tc.spec), "shop", []string{"own"}, "spec", "template")
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, d := range got {
				if d.APIVersion != "v1" || d.Namespace != "shop" {
					t.Errorf("%+v is not of v1 in shop", d)
				}
				names = append(names, d.Kind+" "+d.Name)
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}
