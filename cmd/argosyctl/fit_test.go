package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/argosy-dev/argosy/estimator/oracle"
)

func fits() []workloadFit {
	answer := oracle.Answer{Count: 5, Exact: true, Limits: map[string]int{"InterPodAffinity": 4, "NodeUnschedulable": 1, "": 2},
		Nodes: []oracle.NodeFit{
			{Node: "n3", Copies: 1, Stopped: "InterPodAffinity"}, {Node: "n1", Copies: 1, Stopped: "InterPodAffinity"}, {
				Node: "n0", Copies: 1, Stopped: "InterPodAffinity",
			},
			{Node: "n2", Copies: 1, Stopped: "InterPodAffinity"}, {Node: "n9", Copies: 0, Stopped: "NodeUnschedulable"}}}
	bound := oracle.Answer{Count: 7, TimedOut: true}
	foreign, older := oracle.Answer{Count: 3, Doubt: oracle.ForeignScheduler}, oracle.Answer{Count: 2, Doubt: oracle.OlderPods}
	refused := oracle.Answer{Exact: true, Why: "the member has no PriorityClass \"urgent\"."}
	return []workloadFit{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web", Members: []memberFit{
		fitOf("m1", answer), fitOf("m2", bound), fitOf("m3", refused), {Cluster: "m4", Error: "not read within 30s\nconnection refused"},
		fitOf("m5", foreign), fitOf("m6", older)}}}
}

func TestFitPrintsForPeopleAndPrograms(t *testing.T) {
	for name, tc := range map[string]struct {
		options fitOptions
		want    string
	}{
		"text": {fitOptions{output: "text"}, `m1: exactly 5 fit; the next is refused by InterPodAffinity on 4 nodes, NodeUnschedulable on 1 node
  NODE                   TAKES   NEXT REFUSED BY
  n0, n1, n2 and 1 more  1 each  InterPodAffinity
  n9                     0       NodeUnschedulable
m2: at least, for time was up, 7 fit
m3: exactly 0 fit (the member has no PriorityClass "urgent")
m4: unknown: not read within 30s: connection refused
m5: at most, for no profile has the name of the pod's scheduler, 3 fit
m6: at least, for what the member adds to the pods is known from older ones only, 2 fit
`},
		"text, all nodes": {fitOptions{output: "text", allNodes: true},
			`m1: exactly 5 fit; the next is refused by InterPodAffinity on 4 nodes, NodeUnschedulable on 1 node
  NODE  TAKES  NEXT REFUSED BY
  n0    1      InterPodAffinity
  n1    1      InterPodAffinity
  n2    1      InterPodAffinity
  n3    1      InterPodAffinity
  n9    0      NodeUnschedulable
m2: at least, for time was up, 7 fit
m3: exactly 0 fit (the member has no PriorityClass "urgent")
m4: unknown: not read within 30s: connection refused
m5: at most, for no profile has the name of the pod's scheduler, 3 fit
m6: at least, for what the member adds to the pods is known from older ones only, 2 fit
`},
		"yaml": {fitOptions{output: "yaml"}, `- apiVersion: apps/v1
  kind: Deployment
  members:
  - cluster: m1
    exact: true
    fits: 5
    limitedBy:
      InterPodAffinity: 4
      NodeUnschedulable: 1
    nodes:
    - limitedBy: InterPodAffinity
      node: n3
      takes: 1
    - limitedBy: InterPodAffinity
      node: n1
      takes: 1
    - limitedBy: InterPodAffinity
      node: n0
      takes: 1
    - limitedBy: InterPodAffinity
      node: n2
      takes: 1
    - limitedBy: NodeUnschedulable
      node: n9
      takes: 0
  - cluster: m2
    exact: false
    fits: 7
    timedOut: true
  - cluster: m3
    exact: true
    fits: 0
    reason: the member has no PriorityClass "urgent"
  - cluster: m4
    error: |-
      not read within 30s
      connection refused
    exact: false
  - cluster: m5
    doubt: foreignScheduler
    exact: false
    fits: 3
  - cluster: m6
    doubt: olderPods
    exact: false
    fits: 2
  name: web
  namespace: shop
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			tc.options.Out = &out
			if err := tc.options.print(fits()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFitReadsItsFile(t *testing.T) {
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: main, " +
		"image: web}]}}}\n"
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
	const component = "apiVersion: component.luojilab.com/v1alpha1\nkind: Component\nmetadata: {namespace: shop, name: db}\nspec: " +
		"{workloadType: StatefulSet, image: db}\n"
	const united = "apiVersion: apps.kruise.io/v1alpha1\nkind: UnitedDeployment\nmetadata: {namespace: shop, name: web}\n" +
		"spec: {template: {cloneSetTemplate: {spec: {template: {spec: {containers: [{name: main, image: web}]}}}}}}\n"
	const game = "apiVersion: games.example.com/v1\nkind: Arena\nmetadata: {namespace: shop, name: pvp}\n" +
		"spec: {workload: {template: {spec: {containers: [{name: main, image: web}]}}}}\n"
	further := filepath.Join(t.TempDir(), "estimator.yaml")
	const configuration = "apiVersion: config.argosy.dev/v1alpha1\nkind: EstimatorConfiguration\n" +
		"workloadKinds: [{group: games.example.com, kind: Arena, podTemplatePaths: [spec.workload.template]}]\n"
	if err := os.WriteFile(further, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		text string
		want []string
		err  string
	}{
		"a kind of the administrator's": {game, []string{"Arena shop/pvp"}, ""},
		"one workload":                  {deployment, []string{"Deployment default/web"}, ""},
		"among what belongs to it":      {service + "---\n" + deployment, []string{"Deployment default/web"}, ""},
		"several":                       {deployment + "---\n" + component, []string{"Deployment default/web", "Component shop/db"}, ""},
		"a UnitedDeployment":            {united, []string{"UnitedDeployment shop/web"}, ""},
		"none":                          {service, nil, "holds no workload with a pod template"},
		"a template that is broken":     {strings.Replace(deployment, "image: web", "image: [web]", 1), nil, "spec.template does not decode"},
		"no YAML":                       {"{", nil, "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			empty := filepath.Join(t.TempDir(), "kubeconfig")
			if err := os.WriteFile(empty, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			flags := genericclioptions.NewConfigFlags(false)
			flags.KubeConfig = &empty
			streams, _, _, said := genericiooptions.NewTestIOStreams()
			o := fitOptions{file: path, flags: flags, IOStreams: streams, estimatorConfig: further}
			kinds, err := o.kinds()
			if err != nil {
				t.Fatal(err)
			}
			workloads, err := o.workloads(kinds)
			if named := strings.Contains(said.String(), "Service web: no pods are made of it"); named != strings.Contains(tc.text, "kind: Service") {
				t.Errorf("said %q of what is not asked about", said)
			}
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error = %v, want %q in it", err, tc.err)
				}
				return
			}
			var got []string
			for _, workload := range workloads {
				got = append(got, workload.GetKind()+" "+workload.GetNamespace()+"/"+workload.GetName())
			}
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%v, workloads (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestFitRefusesBadFlags(t *testing.T) {
	scheduler := filepath.Join(t.TempDir(), "scheduler.yaml")
	text := "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{plugins: {multiPoint: {enabled: " +
		"[{name: Wishful}]}}}]\n"
	if err := os.WriteFile(scheduler, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no file":                    {nil, "name the workload's file with -f"},
		"a file that is not there":   {[]string{"-f", "none.yaml"}, "none.yaml"},
		"an unknown output":          {[]string{"-f", "cloneset.yaml", "-o", "table"}, `--output "table" is not known: use text, json, yaml`},
		"an unknown plugin":          {[]string{"-f", "cloneset.yaml", "--scheduler-config", scheduler}, `plugin "Wishful" is not compiled`},
		"no such configuration":      {[]string{"-f", "cloneset.yaml", "--estimator-config", "none.yaml"}, "--estimator-config"},
		"a kubeconfig not to be had": {[]string{"-f", "cloneset.yaml", "--kubeconfig", "none"}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runCommand(t, "", append([]string{"fit"}, tc.args...)...)
			if err == nil || errors.Is(err, errReported) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q in it; printed %q", err, tc.want, out)
			}
		})
	}
}
