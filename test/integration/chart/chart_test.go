// Package chart holds the Helm chart against a real API server: every object it renders is one that the server takes as it is.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
)

const images = "image: {repository: registry.example/argosy}\n"

// program is tools/chart, built by TestMain before any test runs.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "argosy-chart-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "chart")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../../../tools/chart"
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building tools/chart: %v\n%s", err, out)
		return 1
	}
	return lab.Judge(m)
}

// helm runs tools/chart, which is Helm's own engine, linter and schema check, on the chart of the host cluster.
func helm(t *testing.T, command, values string) (string, error) {
	t.Helper()
	return helmOf(t, "deploy/chart", command, values)
}

func helmOf(t *testing.T, chart, command, values string) (string, error) {
	t.Helper()
	root, err := binaries.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, command, "-chart", filepath.Join(root, chart), "-values", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.New(string(out) + stderr.String())
	}
	return string(out), nil
}

func TestLint(t *testing.T) {
	t.Parallel()
	if out, err := helm(t, "lint", images); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestValuesThatCannotStandAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ values, want string }{
		"no images":          {values: "webhook: {replicas: 2}\n", want: "/image/repository"},
		"a typo":             {values: images + "webhok: {replicas: 2}\n", want: "webhok"},
		"a typo deep inside": {values: images + "webhook: {certificates: {mode: SelfManaged, isuerRef: {}}}\n", want: "isuerRef"},
		"no replica":         {values: images + "controllerManager: {replicas: 0}\n", want: "/controllerManager/replicas"},
		"an unknown mode":    {values: images + "webhook: {certificates: {mode: Vault}}\n", want: "/webhook/certificates/mode"},
		"a number in words":  {values: images + "webhook: {replicas: two}\n", want: "/webhook/replicas"},
		"a field of a program's file that does not exist": {values: images + "webhook: {config: {drainSecond: 3}}\n", want: "drainSecond"},
		"deep inside the file": {
			values: images + "controllerManager: {config: {controllers: {fedHPA: {estimators: {ports: 1}}}}}\n", want: "ports",
		},
		"a word for a number inside the file": {
			values: images + "estimator: {config: {staleness: {keepSeconds: long}}}\n", want: "/estimator/config/staleness/keepSeconds",
		},
		"an address that the chart's ports go by": {
			values: images + "webhook: {config: {metricsBindAddress: \":9090\"}}\n", want: "metricsBindAddress",
		},
		"a resource that is a list": {
			values: images + "install: {resources: {limits: {memory: [1]}}}\n", want: "/install/resources/limits/memory",
		},
		"a digest that is none": {
			values: "image: {repository: registry.example/argosy, digests: {argosy-webhook: latest}}\n", want: "argosy-webhook",
		},
		"a handler in a probe": {values: images + "webhook: {livenessProbe: {tcpSocket: {port: 1}}}\n", want: "tcpSocket"},
		"rescheduling that would ask nobody for room": {
			values: images + "controllerManager: {config: {controllers: {reschedule: {unschedulableSeconds: 60}}}}\n",
			want:   "Set controllerManager.asksEstimator: true",
		},
		"a life without unit": {values: images + "install: {tokenLife: \"7\"}\n", want: "/install/tokenLife"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := helm(t, "template", tc.values)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that names %s", err, tc.want)
			}
		})
	}
}

// Kinds that the controllers are configured to carry are those that the installation gives them rights for.
func TestCarriedKindsGetTheirRights(t *testing.T) {
	out, err := helm(t, "template", images+`controllerManager: {config: {controllers: {migration: {carriedKinds: [
  {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, resource: networkpolicies},
  {apiVersion: v1, kind: ResourceQuota, resource: resourcequotas}]}}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"- --carry=networkpolicies.networking.k8s.io\n", "- --carry=resourcequotas\n", "kind: NetworkPolicy\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing rendered has %q", want)
		}
	}
}

// TestAServerTakesWhatIsRendered applies every object by dry run, with strict field validation: a field that does not
// exist is an error, as a missing one is.
func TestAServerTakesWhatIsRendered(t *testing.T) {
	t.Parallel()
	server := lab.StartAPIServer(t, lab.APIServerOptions{CRDs: []lab.CRDs{lab.CertManagerCRDs(), lab.PrometheusOperatorCRDs()}})
	c, err := client.New(server.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	namespace := &unstructured.Unstructured{
		Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "argosy-system"}},
	}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		values string
		// want are kinds beside those of every release, and how many of each.
		want map[string]int
	}{
		"defaults": {values: images},
		"alone": {
			values: images +
				"webhook: {replicas: 1}\ncontrollerManager: {replicas: 1}\nestimator: {enabled: false}\nnetworkPolicy: {enabled: false}\n",
		},
		"dashboards": {values: images + "monitoring: {dashboards: {enabled: true}}\n"},
		"placed and named": {values: images +
			"webhook: {nodeSelector: {a: b}, tolerations: [{operator: Exists}], priorityClassName: system-cluster-critical, config: " +
			"{shutdownSeconds: 10}}\n" +
			"networkPolicy: {enabled: true, karmadaApiserver: [{ipBlock: {cidr: 10.0.0.1/32}}], webhookFrom: [{podSelector: {}}]}\n"},
		"cert-manager, an authority of our own": {
			values: images + "webhook: {certificates: {mode: CertManager}}\n", want: map[string]int{"Certificate": 2, "Issuer": 2},
		},
		"cert-manager, an issuer of the company": {values: images +
			"webhook: {certificates: {mode: CertManager, issuerRef: {kind: ClusterIssuer, name: company}}}\n",
			want: map[string]int{"Certificate": 1}},
		"all that people add": {values: additions, want: map[string]int{"ServiceMonitor": 3}},
		"prometheus-operator": {values: images +
			"monitoring: {serviceMonitor: {enabled: true, labels: {release: kube-prometheus}}, rules: {enabled: true, labels: {release: " +
			"kube-prometheus}}}\n",
			want: map[string]int{"ServiceMonitor": 3, "PrometheusRule": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := helm(t, "template", tc.values)
			if err != nil {
				t.Fatal(err)
			}
			kinds := dryRun(t, c, out)
			if kinds["Deployment"] < 2 || kinds["Job"] != 3 {
				t.Errorf("rendered %v, want the programs and the install jobs", kinds)
			}
			for _, kind := range []string{"Certificate", "Issuer", "ServiceMonitor", "PrometheusRule"} {
				if kinds[kind] != tc.want[kind] {
					t.Errorf("rendered %d of kind %s, want %d", kinds[kind], kind, tc.want[kind])
				}
			}
		})
	}
}

// additions are what installers' people give every chart.
const additions = `
image:
  repository: argosy
  digests: {argosy-webhook: "sha256:1111111111111111111111111111111111111111111111111111111111111111"}
  pullSecrets: [{name: one}]
global: {imageRegistry: registry.example, imagePullSecrets: [{name: company}, {name: one}]}
commonLabels: {team: platform}
commonAnnotations: {cost-centre: "4711"}
webhook: &all
  podLabels: {pod: label}
  podAnnotations: {pod: annotation}
  serviceAccount: {annotations: {account: annotation}}
  topologySpreadConstraints:
  - maxSkew: 2
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: DoNotSchedule
    labelSelector: {matchLabels: {team: platform}}
  podDisruptionBudget: {maxUnavailable: 50%}
  livenessProbe: {timeoutSeconds: 7}
  readinessProbe: {failureThreshold: 9}
  extraArgs: ["--pprof-bind-address=:6060"]
  extraEnv: [{name: HTTPS_PROXY, value: "http://proxy.example:3128"}]
  extraVolumes: [{name: company-ca, configMap: {name: company-ca}}]
  extraVolumeMounts: [{name: company-ca, mountPath: /etc/ssl/company, readOnly: true}]
controllerManager: *all
estimator: *all
install:
  nodeSelector: {a: b}
  tolerations: [{operator: Exists}]
  affinity: {nodeAffinity: {}}
  priorityClassName: system-cluster-critical
  podLabels: {pod: label}
  podAnnotations: {sidecar.istio.io/inject: "false"}
  serviceAccount: {annotations: {account: annotation}}
  topologySpreadConstraints:
  - maxSkew: 2
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: DoNotSchedule
    labelSelector: {matchLabels: {team: platform}}
  extraEnv: [{name: HTTPS_PROXY, value: "http://proxy.example:3128"}]
  extraVolumes: [{name: company-ca, configMap: {name: company-ca}}]
  extraVolumeMounts: [{name: company-ca, mountPath: /etc/ssl/company, readOnly: true}]
monitoring:
  serviceMonitor:
    enabled: true
    scrapeTimeout: 10s
    relabelings: [{action: labeldrop, regex: pod}]
    metricRelabelings: [{action: drop, regex: go_.*, sourceLabels: [__name__]}]
`

// TestAdditionsReachThePods: what people add is in every pod it is meant for, and nowhere twice.
func TestAdditionsReachThePods(t *testing.T) {
	t.Parallel()
	out, err := helm(t, "template", additions)
	if err != nil {
		t.Fatal(err)
	}
	for want, times := range map[string]int{
		"image: registry.example/argosy/argosy-webhook@sha256:" + strings.Repeat("1", 64): 1,
		"image: registry.example/argosy/argosy-estimator:":                                1,
		"- \"--pprof-bind-address=:6060\"":                                                3,
		"name: HTTPS_PROXY":                                                               7, // three programs and four pods of argosyctl
		"pod: label":                                                                      7,
		"pod: annotation":                                                                 3,
		"account: annotation":                                                             5, // of the hooks and of the hourly job
		"mountPath: /etc/ssl/company":                                                     7,
		"name: company-ca\n":                                                              21,
		"topologyKey: topology.kubernetes.io/zone":                                        7,
		"topologyKey: kubernetes.io/hostname":                                             0,
		"maxUnavailable: 50%":                                                             3,
		"timeoutSeconds: 7":                                                               3,
		"- name: one":                                                                     7,
		"sidecar.istio.io/inject: \"false\"":                                              4,
		"system-cluster-critical":                                                         4,
		"action: labeldrop":                                                               3,
	} {
		if have := strings.Count(out, want); have != times {
			t.Errorf("%q is rendered %d times, want %d", want, have, times)
		}
	}
}

// TestRegistries: a registry is the chart's own, or of all charts of an umbrella, whose word counts.
func TestRegistries(t *testing.T) {
	t.Parallel()
	for chart, pods := range map[string]int{"deploy/chart": 7, "deploy/member": 4} {
		for values, want := range map[string]string{
			images: "image: registry.example/argosy/",
			"image: {registry: own.example, repository: argosy}\n":                                       "image: own.example/argosy/",
			"image: {registry: own.example, repository: argosy}\nglobal: {imageRegistry: all.example}\n": "image: all.example/argosy/",
		} {
			out, err := helmOf(t, chart, "template", values)
			if have := strings.Count(out, want); err != nil || have != pods {
				t.Errorf("%s: %q is rendered %d times, want %d (%v)", chart, want, have, pods, err)
			}
		}
	}
}

// TestHooks: what karmada-apiserver needs is put in place before the programs change and after, whichever way a release goes.
func TestHooks(t *testing.T) {
	t.Parallel()
	out, err := helm(t, "template", images)
	if err != nil {
		t.Fatal(err)
	}
	jobs, account := map[string]string{}, ""
	each(t, out, func(u *unstructured.Unstructured) {
		on := u.GetAnnotations()["helm.sh/hook"]
		if u.GetKind() == "Job" {
			jobs[u.GetName()] = on
		} else if u.GetKind() == "ServiceAccount" && on != "" {
			account = on
		}
	})
	want := map[string]string{
		"argosy-prepare":   "pre-install,pre-upgrade,pre-rollback",
		"argosy-register":  "post-install,post-upgrade,post-rollback",
		"argosy-uninstall": "pre-delete",
	}
	if diff := cmp.Diff(want, jobs); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	// An account that is not there when a job starts fails the job.
	for name, on := range want {
		for event := range strings.SplitSeq(on, ",") {
			if !strings.Contains(account, event) {
				t.Errorf("%s runs at %s without its account, which is made at %s", name, event, account)
			}
		}
	}
}

// TestTheHourlyJobIsNoAdministrator: it mounts the kubeconfig of its own account, and the hooks the one that was given.
func TestTheHourlyJobIsNoAdministrator(t *testing.T) {
	t.Parallel()
	out, err := helm(t, "template", images+"karmada: {kubeconfigSecret: {name: administrator}}\n")
	if err != nil {
		t.Fatal(err)
	}
	mounted := map[string]string{}
	each(t, out, func(u *unstructured.Unstructured) {
		at := []string{"spec", "template", "spec", "volumes"}
		if u.GetKind() == "CronJob" {
			at = append([]string{"spec", "jobTemplate"}, at...)
		}
		volumes, _, err := unstructured.NestedSlice(u.Object, at...)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range volumes {
			if volume := item.(map[string]any); volume["name"] == "karmada" && strings.HasSuffix(u.GetKind(), "Job") {
				mounted[u.GetName()], _, _ = unstructured.NestedString(volume, "secret", "secretName")
			}
		}
	})
	want := map[string]string{"argosy-prepare": "administrator", "argosy-register": "administrator", "argosy-uninstall": "administrator",
		"argosy-renew": "argosy-renew-kubeconfig"}
	if diff := cmp.Diff(want, mounted); diff != "" {
		t.Errorf("what jobs mount (-want +got):\n%s", diff)
	}
}

// TestAServerRefusesWhatDoesNotExist shows that the test above can fail: a field of another operator's kind, misspelt.
func TestAServerRefusesWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	server := lab.StartAPIServer(t, lab.APIServerOptions{CRDs: []lab.CRDs{lab.PrometheusOperatorCRDs()}})
	c, err := client.New(server.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	monitor := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": map[string]any{"namespace": "default", "name": "a"},
		"spec": map[string]any{"selector": map[string]any{}, "endpoints": []any{map[string]any{"port": "metrics", "intervall": "30s"}}},
	}}
	err = client.WithFieldValidation(c, "Strict").Create(t.Context(), monitor, client.DryRunAll)
	if err == nil || !strings.Contains(err.Error(), "intervall") {
		t.Errorf("error %v, want one that names the field", err)
	}
}

// dryRun returns how many objects of each kind the server took.
func dryRun(t *testing.T, c client.Client, manifests string) map[string]int {
	t.Helper()
	kinds := map[string]int{}
	each(t, manifests, func(u *unstructured.Unstructured) {
		kinds[u.GetKind()]++
		strict := client.WithFieldValidation(c, "Strict")
		if err := strict.Create(t.Context(), u, client.DryRunAll); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Errorf("%s %s: %v", u.GetKind(), u.GetName(), err)
		}
	})
	return kinds
}

func each(t *testing.T, manifests string, do func(*unstructured.Unstructured)) {
	t.Helper()
	objects, err := manifest.Parse([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range objects {
		do(u)
	}
}
