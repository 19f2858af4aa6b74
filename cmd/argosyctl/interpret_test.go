package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// runCommand is argosyctl with these arguments, from the folder of its test data.
func runCommand(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	t.Chdir("testdata")
	var out bytes.Buffer
	cmd := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(in), Out: &out, ErrOut: &out})
	cmd.SetArgs(args)
	err := cmd.Execute()
	return out.String(), err
}

func TestInterpret(t *testing.T) {
	template, err := os.ReadFile("testdata/cloneset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"replicas and what each asks for": {
			args: []string{"-f", "cloneset.yaml", "--operation", "InterpretReplica"},
			want: `---
# [1/2] replica:
10
---
# [2/2] requires:
namespace: shop
resourceRequest:
  cpu: 250m
  memory: 128Mi
`,
		},
		"replicas, the operation in karmadactl's letters": {
			args: []string{"-f", "cloneset.yaml", "--operation", "interpretReplica"},
			want: `---
# [1/2] replica:
10
---
# [2/2] requires:
namespace: shop
resourceRequest:
  cpu: 250m
  memory: 128Mi
`,
		},
		"health of the standard input": {
			in:   string(template),
			args: []string{"-f", "-", "--operation", "InterpretHealth"},
			want: "---\n# [1/1] healthy:\nfalse\n",
		},
		"health of the observed file": {
			args: []string{"--observed-file", "observed.yaml", "--operation", "InterpretHealth"},
			want: "---\n# [1/1] healthy:\ntrue\n",
		},
		"status": {
			args: []string{"--observed-file", "observed.yaml", "--operation", "InterpretStatus"},
			want: `---
# [1/1] status:
availableReplicas: 3
expectedUpdatedReplicas: 3
generation: 5
observedGeneration: 5
replicas: 3
resourceTemplateGeneration: 3
updatedReplicas: 3
`,
		},
		"dependencies as JSON": {
			args: []string{"-f", "cloneset.yaml", "--operation", "InterpretDependency", "-o", "json"},
			want: `[
  {
    "apiVersion": "apps.kruise.io/v1alpha1",
    "kind": "CloneSet",
    "name": "web",
    "operation": "InterpretDependency",
    "results": [
      {
        "name": "dependencies",
        "value": [
          {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "namespace": "shop",
            "name": "web-settings"
          },
          {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "namespace": "shop",
            "name": "web"
          }
        ]
      }
    ]
  }
]
`,
		},
		"the exact patch of one of two members with as many replicas": {
			args: []string{
				"-f", "cloneset.yaml", "--operation", "ReviseReplica", "--desired-replica", "5", "--division", "member1=5,member2=5", "--cluster",
				"member1", "-o", "patch",
			},
			want: `[{"op":"add","path":"/metadata/annotations","value":{}},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1partition-by-cluster","value":"member1=4,member2=5"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1divided","value":"partition=5"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1replicas-by-cluster","value":"member1=5,member2=5"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1created-with","value":"92b5c6e5cda2d5bb"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1template","value":"92b5c6e5cda2d5bb"},` +
				`{"op":"add","path":"/spec/replicas","value":5},{"op":"add","path":"/spec/updateStrategy/partition","value":4}]` + "\n",
		},
		"the patch of a revision": {
			args: []string{
				"-f", "cloneset.yaml", "--operation", "ReviseReplica", "--desired-replica", "4", "--division", "member1=4,member2=6", "-o", "patch",
			},
			want: `[{"op":"add","path":"/spec/updateStrategy/partition","value":4},{"op":"add","path":"/metadata/annotations","value":{}},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1partition-by-cluster","value":"member1=4,member2=5"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1divided","value":"partition=4"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1replicas-by-cluster","value":"member1=4,member2=6"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1created-with","value":"92b5c6e5cda2d5bb"},` +
				`{"op":"add","path":"/metadata/annotations/interpreter.argosy.dev~1template","value":"92b5c6e5cda2d5bb"},` +
				`{"op":"add","path":"/spec/replicas","value":4}]` + "\n",
		},
		"a manifest retained in its member": {
			args: []string{"--desired-file", "desired.yaml", "--observed-file", "observed.yaml", "--cluster", "member2", "--operation", "Retain"},
			want: `---
# [1/1] retained:
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata:
  annotations:
    interpreter.argosy.dev/divided: partition=3
    interpreter.argosy.dev/partition-by-cluster: member1=3,member2=2
  name: web
  namespace: shop
spec:
  replicas: 3
  scaleStrategy:
    podsToDelete:
    - web-a
  updateStrategy:
    partition: 3
`,
		},
		"names to delete do not go to every member": {
			args: []string{"-f", "observed.yaml", "--operation", "ReviseReplica", "--desired-replica", "3", "-o", "patch"},
			want: `[{"op":"remove","path":"/spec/scaleStrategy/podsToDelete"}]` + "\n",
		},
		"one status of two": {
			args: []string{"-f", "cloneset.yaml", "--status-file", "status.yaml", "--operation", "AggregateStatus", "-o", "patch"},
			want: `[{"op":"add","path":"/status","value":{"availableReplicas":0,` +
				`"conditions":[{"message":"asked 1 of 10 updated, 0 are: member1 0 of 4 (4 not ready), member2 0 of 6 (6 not ready)",` +
				`"reason":"FewerUpdated","status":"False","type":"RolloutAsAsked"}],"expectedUpdatedReplicas":0,` +
				`"labelSelector":"app=web","observedGeneration":3,` +
				`"readyReplicas":0,"replicas":10,"updatedAvailableReplicas":0,"updatedReadyReplicas":0,"updatedReplicas":0}}]` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runCommand(t, tc.in, append([]string{"interpret"}, tc.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInterpretRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"no operation":         {args: []string{"-f", "cloneset.yaml"}, want: "name the question with --operation"},
		"an unknown operation": {args: []string{"-f", "cloneset.yaml", "--operation", "Prune"}, want: `--operation: "Prune" is none of`},
		"no objects":           {args: []string{"--operation", "InterpretHealth"}, want: "name the objects with -f"},
		"a missing file":       {args: []string{"-f", "absent.yaml", "--operation", "InterpretHealth"}, want: "absent.yaml"},
		"no kind":              {in: "{}", args: []string{"-f", "-", "--operation", "InterpretHealth"}, want: "reading -: "},
		"no YAML":              {in: "\t:", args: []string{"-f", "-", "--operation", "InterpretHealth"}, want: "reading -: "},
		"a kind not ours": {
			in: "apiVersion: v1\nkind: Pod\n", args: []string{"-f", "-", "--operation", "InterpretHealth"},
			want: "not interpreted by Argosy: kind /v1, Kind=Pod",
		},
		"no observed object": {args: []string{"-f", "desired.yaml", "--operation", "Retain"}, want: "--observed-file: Retain needs"},
		"a bad division": {
			args: []string{"-f", "cloneset.yaml", "--operation", "ReviseReplica", "--division", "member1"},
			want: `--division: "member1" is not cluster=replicas`,
		},
		"a typo in a status": {
			in: "cluster: a\n", args: []string{"-f", "cloneset.yaml", "--operation", "AggregateStatus", "--status-file", "-"},
			want: `unknown field "cluster"`,
		},
		"an unknown output": {args: []string{"-f", "cloneset.yaml", "--operation", "InterpretHealth", "-o", "wide"}, want: `--output: "wide"`},
		"no patch of a health": {
			args: []string{"-f", "cloneset.yaml", "--operation", "InterpretHealth", "-o", "patch"}, want: "--output patch: only",
		},
		"a field of the wrong type": {
			in:   "apiVersion: apps.kruise.io/v1alpha1\nkind: CloneSet\nmetadata: {name: web}\nspec: {replicas: ten}\n",
			args: []string{"-f", "-", "--operation", "InterpretReplica"}, want: `CloneSet web: spec.replicas: want a whole number, have "ten"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runCommand(t, tc.in, append([]string{"interpret"}, tc.args...)...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q; output:\n%s", err, tc.want, out)
			}
		})
	}
}
