package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/estimator/account"
	"github.com/argosy-dev/argosy/estimator/fleet"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
)

func TestAccountOf(t *testing.T) {
	count := func(n int64) *int64 { return &n }
	for name, tc := range map[string]struct {
		answer oracle.Answer
		want   account.Member
	}{
		"what limits it, and where": {
			oracle.Answer{Count: 5, Exact: true, Limits: map[string]int{"InterPodAffinity": 4, "": 2},
				Nodes: []oracle.NodeFit{{Node: "n3", Copies: 1, Stopped: "InterPodAffinity"}}},
			account.Member{Cluster: "m1", Fits: count(5), Exact: true, LimitedBy: map[string]int{"InterPodAffinity": 4},
				Nodes: []account.Node{{Node: "n3", Takes: 1, LimitedBy: "InterPodAffinity"}}},
		},
		"time was up": {oracle.Answer{Count: 7, TimedOut: true}, account.Member{Cluster: "m1", Fits: count(7), TimedOut: true}},
		"refused as a whole": {
			oracle.Answer{Exact: true, Why: "the member has no PriorityClass \"urgent\"."},
			account.Member{Cluster: "m1", Fits: count(0), Exact: true, Reason: "the member has no PriorityClass \"urgent\""},
		},
		"another scheduler's pod": {
			oracle.Answer{Count: 3, Doubt: oracle.ForeignScheduler},
			account.Member{Cluster: "m1", Fits: count(3), Doubt: account.ForeignScheduler},
		},
		"older pods": {
			oracle.Answer{Count: 2, Doubt: oracle.OlderPods}, account.Member{Cluster: "m1", Fits: count(2), Doubt: account.OlderPods},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, accountOf("m1", tc.answer)); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFitReadsObjects(t *testing.T) {
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: default, name: web}\n" +
		"spec: {template: {spec: {containers: [{name: main, image: web}]}}}\n"
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
		"none":                          {service, nil, "there is no workload with a pod template"},
		"a template that is broken":     {strings.Replace(deployment, "image: web", "image: [web]", 1), nil, "spec.template does not decode"},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []map[string]any
			for _, document := range strings.Split(tc.text, "---\n") {
				object := map[string]any{}
				if err := yaml.Unmarshal([]byte(document), &object); err != nil {
					t.Fatal(err)
				}
				objects = append(objects, object)
			}
			raw, err := json.Marshal(objects)
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			f := fit{in: bytes.NewReader(raw), said: &said, estimatorConfig: further}
			kinds, err := f.kinds()
			if err != nil {
				t.Fatal(err)
			}
			workloads, err := f.workloads(kinds)
			if named := strings.Contains(said.String(), "Service web: no pods are made of it"); named != strings.Contains(tc.text, "kind: Service") {
				t.Errorf("said %q of what is not asked about", &said)
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

// TestFitRefuses: what is wrong is said before any member is asked.
func TestFitRefuses(t *testing.T) {
	scheduler := filepath.Join(t.TempDir(), "scheduler.yaml")
	text := "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{plugins: {multiPoint: {enabled: " +
		"[{name: Wishful}]}}}]\n"
	if err := os.WriteFile(scheduler, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const web = `[{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},` +
		`"spec":{"template":{"spec":{"containers":[{"name":"main"}]}}}}]`
	for name, tc := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"an unknown plugin":          {web, []string{"--scheduler-config", scheduler}, `plugin "Wishful" is not compiled`},
		"no such configuration":      {web, []string{"--estimator-config", "none.yaml"}, "--estimator-config"},
		"a kubeconfig not to be had": {web, []string{"--kubeconfig", "none"}, "none"},
		"no list":                    {"what?", nil, "a JSON list"},
		"a word":                     {web, []string{"web.yaml"}, "`argosyctl fit -f FILE` calls this"},
		"an unknown flag":            {web, []string{"--nosuch"}, "unknown flag: --nosuch"},
	} {
		t.Run(name, func(t *testing.T) {
			err := runFit(t.Context(), tc.args, strings.NewReader(tc.in), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q in it", err, tc.want)
			}
		})
	}
}

// TestFitWaitsOnce: members that do not answer cost one timeout together, and one that cannot be reached none: it is said why.
func TestFitWaitsOnce(t *testing.T) {
	f, known := fit{timeout: time.Minute}, fleet.New(func(string) (mirror.Config, error) { return mirror.Config{}, nil })
	if _, err := f.await(t.Context(), known, reached{name: "m1", unreached: errors.New("it has no secret")}); err == nil ||
		err.Error() != "it has no secret" {
		t.Errorf("of a member that cannot be reached: %v", err)
	}
	over, stop := context.WithCancel(t.Context())
	stop()
	for _, name := range []string{"m2", "m3"} {
		if _, err := f.await(over, known, reached{name: name}); err == nil || !strings.Contains(err.Error(), "not read within 1m0s") {
			t.Errorf("of member %s, when time is up: %v", name, err)
		}
	}
}
