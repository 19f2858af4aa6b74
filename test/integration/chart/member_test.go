package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab"
)

func helmMember(t *testing.T, command, values string) (string, error) {
	t.Helper()
	return helmOf(t, "deploy/member", command, values)
}

func TestMemberLint(t *testing.T) {
	t.Parallel()
	if out, err := helmMember(t, "lint", images); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestMemberValuesThatCannotStandAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ values, want string }{
		"no images":                       {values: "replicas: 2\n", want: "/image/repository"},
		"a typo":                          {values: images + "replica: 2\n", want: "replica"},
		"no replica":                      {values: images + "replicas: 0\n", want: "/replicas"},
		"a field that does not exist":     {values: images + "config: {controllers: {component: {concurency: 3}}}\n", want: "concurency"},
		"an address that the ports go by": {values: images + "config: {metricsBindAddress: \":9090\"}\n", want: "metricsBindAddress"},
		"an id that is no name":           {values: images + "controllerID: Next_One\n", want: "/controllerID"},
		"another chart's value":           {values: images + "karmada: {}\n", want: "karmada"},
		"a digest of another program": {
			values: "image: {repository: a/b, digests: {argosy-webhook: \"sha256:1\"}}\n", want: "argosy-webhook",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := helmMember(t, "template", tc.values); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that names %s", err, tc.want)
			}
		})
	}
}

const beside = images + "controllerID: next\nreplicas: 1\n"

// TestAServerTakesWhatIsRenderedForMembers applies every object by dry run, with strict field validation.
func TestAServerTakesWhatIsRenderedForMembers(t *testing.T) {
	t.Parallel()
	server := lab.StartAPIServer(t, lab.APIServerOptions{CRDs: []lab.CRDs{lab.PrometheusOperatorCRDs()}})
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
		want   map[string]int
	}{
		"defaults": {images, map[string]int{
			"Deployment": 1, "ConfigMap": 1, "Service": 2, "PodDisruptionBudget": 1, "NetworkPolicy": 2, "Job": 2, "CronJob": 1,
			"ServiceAccount": 3, "ClusterRoleBinding": 2,
		}},
		"all that people add": {images + `global: {imageRegistry: registry.example, imagePullSecrets: [{name: company}]}
commonLabels: {team: platform}
config: {metricsSecure: true, machines: {http: {url: "https://iaas.example.com"}}}
machines: {ca: "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"}
nodeSelector: {a: b}
tolerations: [{operator: Exists}]
affinity: {nodeAffinity: {}}
priorityClassName: system-cluster-critical
podLabels: {pod: label}
podAnnotations: {pod: annotation}
extraArgs: ["--pprof-bind-address=:6060"]
extraEnv: [{name: HTTPS_PROXY, value: "http://proxy.example:3128"}]
extraVolumes: [{name: company-ca, configMap: {name: company-ca}}]
extraVolumeMounts: [{name: company-ca, mountPath: /etc/ssl/company, readOnly: true}]
install:
  serviceAccount: {annotations: {account: annotation}}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}]
  extraVolumes: [{name: company-ca, configMap: {name: company-ca}}]
  extraVolumeMounts: [{name: company-ca, mountPath: /etc/ssl/company, readOnly: true}]
networkPolicy: {webhookFrom: [{ipBlock: {cidr: 10.0.0.1/32}}], metricsFrom: []}
monitoring:
  serviceMonitor:
    enabled: true
    scrapeTimeout: 10s
    labels: {release: kube-prometheus}
    relabelings: [{action: labeldrop, regex: pod}]
    metricRelabelings: [{action: drop, regex: go_.*, sourceLabels: [__name__]}]
`, map[string]int{
			"Deployment": 1, "ConfigMap": 1, "Service": 2, "PodDisruptionBudget": 1, "NetworkPolicy": 2, "Job": 2, "CronJob": 1,
			"ServiceAccount": 3, "ClusterRoleBinding": 2, "ServiceMonitor": 1,
		}},
		"a second manager": {beside, map[string]int{"Deployment": 1, "ConfigMap": 1, "Service": 1, "NetworkPolicy": 1}},
		"alone": {images + "replicas: 1\nnetworkPolicy: {enabled: false}\n", map[string]int{
			"Deployment": 1, "ConfigMap": 1, "Service": 2, "Job": 2, "CronJob": 1, "ServiceAccount": 3, "ClusterRoleBinding": 2,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := helmMember(t, "template", tc.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, dryRun(t, c, out)); diff != "" {
				t.Errorf("kinds (-want +rendered):\n%s", diff)
			}
		})
	}
}

// rendered is one object of the member's chart, and what it says.
func rendered[T any](t *testing.T, values, kind, name string) T {
	t.Helper()
	out, err := helmMember(t, "template", values)
	if err != nil {
		t.Fatal(err)
	}
	var found *unstructured.Unstructured
	each(t, out, func(u *unstructured.Unstructured) {
		if u.GetKind() == kind && u.GetName() == name {
			found = u
		}
	})
	if found == nil {
		t.Fatalf("there is no %s %s", kind, name)
	}
	return decode[T](t, found)
}

// TestMemberChartIsTheSameInstallation: whoever changes from argosyctl to the chart gets the same program: its pods are selected by the
// same labels, which cannot be changed, it serves the same ports, mounts the same files and runs as the same account.
func TestMemberChartIsTheSameInstallation(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values  string
		options install.MemberOptions
		program string
	}{
		"the default one": {images, install.MemberOptions{Admission: true, Replicas: 2}, "argosy-member-manager"},
		"a second one":    {beside, install.MemberOptions{ControllerID: "next", Replicas: 1}, "argosy-member-manager-next"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := install.MemberObjects(tc.options)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Deployment" })
			byHand := decode[appsv1.Deployment](t, objects[i])
			chart := rendered[appsv1.Deployment](t, tc.values, "Deployment", tc.program)
			if byHand.Name != chart.Name {
				t.Fatalf("%s and %s", byHand.Name, chart.Name)
			}
			if diff := cmp.Diff(byHand.Spec.Selector, chart.Spec.Selector); diff != "" {
				t.Errorf("selector (-argosyctl +chart):\n%s", diff)
			}
			a, b := byHand.Spec.Template.Spec, chart.Spec.Template.Spec
			if diff := cmp.Diff(a.Containers[0].Ports, b.Containers[0].Ports); diff != "" {
				t.Errorf("ports (-argosyctl +chart):\n%s", diff)
			}
			for _, mount := range b.Containers[0].VolumeMounts {
				if !slices.Contains(a.Containers[0].VolumeMounts, mount) {
					t.Errorf("argosyctl does not mount %+v", mount)
				}
			}
			if a.ServiceAccountName != b.ServiceAccountName || *byHand.Spec.Replicas != *chart.Spec.Replicas {
				t.Errorf("account %s and %s, replicas %d and %d",
					a.ServiceAccountName, b.ServiceAccountName, *byHand.Spec.Replicas, *chart.Spec.Replicas)
			}
			if diff := cmp.Diff(a.Containers[0].Resources, b.Containers[0].Resources); diff != "" {
				t.Errorf("resources (-argosyctl +chart):\n%s", diff)
			}
		})
	}
}

// TestMemberConfiguration: the file that the chart writes is one that the program takes, and says what the values say.
func TestMemberConfiguration(t *testing.T) {
	t.Parallel()
	load := func(values, name string) *config.MemberManager {
		t.Helper()
		file := rendered[corev1.ConfigMap](t, values, "ConfigMap", name)
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(file.Data["config.yaml"]), 0o600); err != nil {
			t.Fatal(err)
		}
		loaded, err := config.LoadMemberManager(path)
		if err != nil {
			t.Fatalf("%v\n%s", err, file.Data["config.yaml"])
		}
		return loaded
	}
	first := load(images+"config: {machines: {http: {url: \"https://iaas\"}}}\nmachines: {ca: PEM}\n", "argosy-member-manager")
	if first.Webhook.BindAddress != ":9443" || first.Machines.HTTP.URL != "https://iaas" ||
		first.Machines.HTTP.CAFile != "/etc/argosy-member-manager/config/machines-ca.crt" {
		t.Errorf("have %+v", first)
	}
	second := load(beside, "argosy-member-manager-next")
	if second.ControllerID != "next" || second.Webhook.BindAddress != "0" || second.Controllers.VM.Mode != config.Disabled {
		t.Errorf("have %+v", second)
	}
}

// TestMemberRunsItsInstallation: the jobs run argosyctl for what the program needs, when it is needed.
func TestMemberRunsItsInstallation(t *testing.T) {
	t.Parallel()
	out, err := helmMember(t, "template", images)
	if err != nil {
		t.Fatal(err)
	}
	jobs := map[string][]string{}
	each(t, out, func(u *unstructured.Unstructured) {
		if u.GetKind() != "Job" && u.GetKind() != "CronJob" {
			return
		}
		path := []string{"spec", "template", "spec", "containers"}
		if u.GetKind() == "CronJob" {
			path = append([]string{"spec", "jobTemplate"}, path...)
		}
		containers, _, err := unstructured.NestedSlice(u.Object, path...)
		if err != nil || len(containers) != 1 {
			t.Fatalf("%s: %v", u.GetName(), err)
		}
		args, _, err := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
		if err != nil {
			t.Fatal(err)
		}
		jobs[u.GetName()] = append(args, u.GetAnnotations()["helm.sh/hook"])
	})
	want := map[string][]string{
		"argosy-member-prepare":   {"install", "member-manager", "--stage=Prepare", "pre-install,pre-upgrade,pre-rollback"},
		"argosy-member-uninstall": {"uninstall", "member-manager", "pre-delete"},
		"argosy-member-renew":     {"install", "member-manager", "--stage=Prepare", ""},
	}
	if diff := cmp.Diff(want, jobs); diff != "" {
		t.Errorf("(-want +rendered):\n%s", diff)
	}
}

// TestMembersAreScraped: both charts give the endpoints of their ServiceMonitors the same fields, and those of TLS only where metrics are
// served so.
func TestMembersAreScraped(t *testing.T) {
	t.Parallel()
	const asked = `
monitoring:
  serviceMonitor:
    enabled: true
    interval: 1m
    scrapeTimeout: 10s
    relabelings: [{action: labeldrop, regex: pod}]
    metricRelabelings: [{action: drop, regex: go_.*, sourceLabels: [__name__]}]
`
	endpoint := func(chart, name, values string) any {
		t.Helper()
		out, err := helmOf(t, chart, "template", images+values+asked)
		if err != nil {
			t.Fatal(err)
		}
		var found any
		each(t, out, func(u *unstructured.Unstructured) {
			if u.GetKind() == "ServiceMonitor" && u.GetName() == name {
				endpoints, _, err := unstructured.NestedSlice(u.Object, "spec", "endpoints")
				if err != nil || len(endpoints) != 1 {
					t.Fatalf("%s: %v, %v", name, endpoints, err)
				}
				found = endpoints[0]
			}
		})
		return found
	}
	want := map[string]any{
		"port": "metrics", "interval": "1m", "scrapeTimeout": "10s",
		"relabelings":       []any{map[string]any{"action": "labeldrop", "regex": "pod"}},
		"metricRelabelings": []any{map[string]any{"action": "drop", "regex": "go_.*", "sourceLabels": []any{"__name__"}}},
	}
	if diff := cmp.Diff(want, endpoint("deploy/member", "argosy-member-manager", "")); diff != "" {
		t.Errorf("in a member (-want +rendered):\n%s", diff)
	}
	if diff := cmp.Diff(want, endpoint("deploy/chart", "argosy-webhook", "")); diff != "" {
		t.Errorf("in the host cluster (-want +rendered):\n%s", diff)
	}
	want["scheme"] = "https"
	want["authorization"] = map[string]any{"credentials": map[string]any{"name": "argosy-metrics-token", "key": "token"}}
	want["tlsConfig"] = map[string]any{"insecureSkipVerify": true}
	if diff := cmp.Diff(want, endpoint("deploy/member", "argosy-member-manager", "config: {metricsSecure: true}\n")); diff != "" {
		t.Errorf("securely in a member (-want +rendered):\n%s", diff)
	}
	if diff := cmp.Diff(want, endpoint("deploy/chart", "argosy-webhook", "webhook: {config: {metricsSecure: true}}\n")); diff != "" {
		t.Errorf("securely in the host cluster (-want +rendered):\n%s", diff)
	}
}
