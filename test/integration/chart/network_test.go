package chart

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/internal/config"
)

// network is what a release's policies and pods say of connections.
type network struct {
	policies policies
	// pods of the release, by program.
	pods map[string]end
	// configs are the programs' files.
	configs map[string]string
}

func decode[T any](t *testing.T, u *unstructured.Unstructured) T {
	t.Helper()
	var out T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, &out, true); err != nil {
		t.Fatalf("%s %s: %v", u.GetKind(), u.GetName(), err)
	}
	return out
}

func networkOf(t *testing.T, values string) network {
	t.Helper()
	manifests, err := helm(t, "template", values)
	if err != nil {
		t.Fatal(err)
	}
	n := network{pods: map[string]end{}, configs: map[string]string{}}
	each(t, manifests, func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "NetworkPolicy":
			n.policies = append(n.policies, decode[networkingv1.NetworkPolicy](t, u))
		case "ConfigMap":
			n.configs[u.GetName()] = decode[corev1.ConfigMap](t, u).Data["config.yaml"]
		case "Deployment":
			n.add(u, decode[appsv1.Deployment](t, u).Spec.Template)
		case "Job":
			n.add(u, decode[batchv1.Job](t, u).Spec.Template)
		case "CronJob":
			n.add(u, decode[batchv1.CronJob](t, u).Spec.JobTemplate.Spec.Template)
		}
	})
	return n
}

func (n *network) add(u *unstructured.Unstructured, template corev1.PodTemplateSpec) {
	pod := end{namespace: u.GetNamespace(), labels: template.Labels, ports: map[string]int32{}}
	for _, port := range template.Spec.Containers[0].Ports {
		pod.ports[port.Name] = port.ContainerPort
	}
	n.pods[u.GetName()] = pod
}

// Everything beside the release that connects to it or is connected to.
var (
	karmadaController = end{namespace: "karmada-system", labels: map[string]string{"app": "karmada-controller-manager"}}
	karmadaScheduler  = end{namespace: "karmada-system", labels: map[string]string{"app": "karmada-scheduler"}}
	karmadaApiserver  = end{namespace: "karmada-system", labels: map[string]string{"app": "karmada-apiserver"}}
	dns               = end{namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}}
	prometheus        = end{namespace: "monitoring", labels: map[string]string{"app": "prometheus"}}
	stranger          = end{namespace: "shop", labels: map[string]string{"app": "web"}}
	hostApiserver     = end{ip: "10.96.0.1"}
	member            = end{ip: "203.0.113.7"}
	internet          = end{ip: "198.51.100.1"}
)

// TestNetworkPolicies holds the policies against every connection that the code makes, and some that nobody should.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	n := networkOf(t, images+"controllerManager: {asksEstimator: true}\n")
	webhook, controllers, estimator := n.pods["argosy-webhook"], n.pods["argosy-controller-manager"], n.pods["argosy-estimator"]
	prepare, renew := n.pods["argosy-prepare"], n.pods["argosy-renew"]
	type flow struct {
		from, to end
		port     int32
		protocol corev1.Protocol
	}
	tcp := func(from, to end, port int32) flow { return flow{from, to, port, corev1.ProtocolTCP} }
	allowed := map[string]flow{
		"karmada-controller-manager asks the interpreter":    tcp(karmadaController, webhook, 9443),
		"karmada-apiserver asks admission":                   tcp(karmadaApiserver, webhook, 9443),
		"the install job asks whether the webhook serves":    tcp(n.pods["argosy-register"], webhook, 9443),
		"the webhook reads karmada-apiserver":                tcp(webhook, karmadaApiserver, 5443),
		"karmada-scheduler asks the estimator":               tcp(karmadaScheduler, estimator, 10352),
		"FedHPA asks the estimator":                          tcp(controllers, estimator, 10352),
		"controllers work on karmada-apiserver":              tcp(controllers, karmadaApiserver, 5443),
		"controllers read members":                           tcp(controllers, member, 6443),
		"a health gate asks Prometheus":                      tcp(controllers, prometheus, 9090),
		"the estimator reads karmada-apiserver":              tcp(estimator, karmadaApiserver, 5443),
		"the estimator mirrors members":                      tcp(estimator, member, 6443),
		"the install job works on karmada-apiserver":         tcp(prepare, karmadaApiserver, 5443),
		"the install job writes Secrets of the host cluster": tcp(prepare, hostApiserver, 443),
		"the removal job writes Secrets of the host cluster": tcp(n.pods["argosy-uninstall"], hostApiserver, 443),
	}
	for name, pod := range map[string]end{"webhook": webhook, "controllers": controllers, "estimator": estimator, "jobs": prepare} {
		allowed[name+": DNS"] = flow{pod, dns, 53, corev1.ProtocolUDP}
		allowed[name+": DNS, long answers"] = tcp(pod, dns, 53)
		if name != "jobs" {
			allowed[name+": Prometheus scrapes"] = tcp(prometheus, pod, 8080)
		}
	}
	refused := map[string]flow{
		"a stranger asks the interpreter":          tcp(stranger, webhook, 9443),
		"a stranger asks the estimator":            tcp(stranger, estimator, 10352),
		"a stranger asks for probes":               tcp(stranger, controllers, 8081),
		"Karmada asks the estimator for probes":    tcp(karmadaScheduler, estimator, 10351),
		"Karmada asks the controllers":             tcp(karmadaController, controllers, 9443),
		"a stranger calls a job":                   tcp(stranger, renew, 8080),
		"a stranger asks who manages applications": tcp(stranger, webhook, 9444),
		"the webhook calls out":                    tcp(webhook, internet, 443),
		"the webhook reads members":                tcp(webhook, member, 6443),
		"the webhook writes into the host cluster": tcp(webhook, hostApiserver, 443),
		"the webhook asks the estimator":           tcp(webhook, estimator, 10352),
		"the estimator asks the webhook":           tcp(estimator, webhook, 9443),
	}
	for want, flows := range map[bool]map[string]flow{true: allowed, false: refused} {
		for name, f := range flows {
			if f.from.labels == nil && f.from.ip == "" || f.to.labels == nil && f.to.ip == "" {
				t.Errorf("%s: the chart has no such pod", name)
			}
			if got := n.policies.allow(f.from, f.to, f.protocol, f.port); got != want {
				t.Errorf("%s: allowed %t, want %t", name, got, want)
			}
		}
	}
}

// TestNetworkPoliciesOfValues: what the values open, and that nothing else opens with it.
func TestNetworkPoliciesOfValues(t *testing.T) {
	t.Parallel()
	agent, apiserver := end{ip: "203.0.113.7"}, end{ip: "192.0.2.10"}
	n := networkOf(t,
		images+"karmada: {apiserverPort: 6443}\nnetworkPolicy: {webhookFrom: [{ipBlock: {cidr: 203.0.113.0/24}}], karmadaApiserver: [{ipBlock: "+
			"{cidr: 192.0.2.10/32}}], "+
			"metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}], "+
			"isKarmadaFrom: [{ipBlock: {cidr: 203.0.113.0/24}}]}\n")
	webhook, estimator := n.pods["argosy-webhook"], n.pods["argosy-estimator"]
	for name, tc := range map[string]struct {
		from, to end
		port     int32
		want     bool
	}{
		"a karmada-agent asks the interpreter":           {agent, webhook, 9443, true},
		"a karmada-agent asks the estimator":             {agent, estimator, 10352, false},
		"CI/CD asks who manages an application":          {agent, webhook, 9444, true},
		"a scraper asks who manages an application":      {prometheus, webhook, 9444, false},
		"karmada-apiserver outside the cluster":          {webhook, apiserver, 6443, true},
		"another port of it":                             {webhook, apiserver, 5443, false},
		"Karmada's namespace, where it no longer is":     {webhook, karmadaApiserver, 6443, false},
		"Prometheus scrapes":                             {prometheus, webhook, 8080, true},
		"a stranger scrapes":                             {stranger, webhook, 8080, false},
		"the controllers ask the estimator, by its port": {n.pods["argosy-controller-manager"], estimator, 10352, true},
	} {
		if got := n.policies.allow(tc.from, tc.to, corev1.ProtocolTCP, tc.port); got != tc.want {
			t.Errorf("%s: allowed %t, want %t", name, got, tc.want)
		}
	}
	closed := networkOf(t, images+"networkPolicy: {metricsFrom: []}\n")
	for program, pod := range closed.pods {
		if closed.policies.allow(prometheus, pod, corev1.ProtocolTCP, 8080) {
			t.Errorf("nobody may scrape, and Prometheus scrapes %s", program)
		}
	}
	if open := networkOf(t, images+"networkPolicy: {enabled: false}\n"); len(open.policies) != 0 {
		t.Errorf("switched off, and there are %d policies", len(open.policies))
	}
}

// TestPortsAreTheProgramsOwn: what the chart names is what each program listens on, by its own reading of the rendered file.
func TestPortsAreTheProgramsOwn(t *testing.T) {
	t.Parallel()
	n := networkOf(t, images)
	dir := t.TempDir()
	file := func(program string) string {
		path := filepath.Join(dir, program)
		if err := os.WriteFile(path, []byte(n.configs[program]), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	webhook, errW := config.LoadWebhook(file("argosy-webhook"))
	controllers, errC := config.LoadControllerManager(file("argosy-controller-manager"))
	estimator, errE := config.LoadEstimator(file("argosy-estimator"))
	for _, err := range []error{errW, errC, errE} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for program, addresses := range map[string][]string{
		"argosy-webhook":            {webhook.BindAddress, webhook.IsKarmadaBindAddress, webhook.MetricsBindAddress, webhook.HealthBindAddress},
		"argosy-controller-manager": {controllers.MetricsBindAddress, controllers.HealthBindAddress},
		// The port of its service is a flag, which the chart leaves at its default.
		"argosy-estimator": {fmt.Sprintf(":%d", estimator.Registration.Port), estimator.MetricsBindAddress, estimator.HealthBindAddress},
	} {
		want := map[int32]bool{}
		for _, address := range addresses {
			_, text, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			port, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			want[int32(port)] = true
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Values(n.pods[program].ports))); diff != "" {
			t.Errorf("ports of %s (-listened on +in the chart):\n%s", program, diff)
		}
	}
}
