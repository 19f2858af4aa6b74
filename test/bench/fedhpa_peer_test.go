package bench

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	"github.com/karmada-io/karmada/pkg/controllers/federatedhpa"
	metricsclient "github.com/karmada-io/karmada/pkg/controllers/federatedhpa/metrics"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/fedinformer/typedmanager"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	resourceclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab"
)

// wanted is the CPU an autoscaler wants each pod to use, in thousandths; a pod uses it from the start.
const wanted = 50

// measureFederatedHPA runs Karmada's controller, made as karmada-controller-manager makes it
// (cmd/controller-manager/app/controllermanager.go).
func (f *fedhpaFleet) measureFederatedHPA() fedhpaCost {
	f.joinMember()
	f.serveMetrics()
	f.each("members' workloads", f.runInMember)
	f.each("metrics", func(ctx context.Context, a fedhpaplane.App) error {
		return f.plane.Client.Create(ctx, podMetrics(a, 0))
	})
	f.each("more metrics", func(ctx context.Context, a fedhpaplane.App) error {
		return f.plane.Client.Create(ctx, podMetrics(a, 1))
	})
	f.each("FederatedHPAs", func(ctx context.Context, a fedhpaplane.App) error { return f.plane.Client.Create(ctx, federatedHPA(a)) })
	defer f.stopped(f.plane.RunControllers(func(_ context.Context, mgr ctrl.Manager) error { return addFederatedHPA(mgr) }))()
	f.rounds("first looks", func(ctx context.Context, a fedhpaplane.App) (bool, error) {
		var hpa karmadaautoscaling.FederatedHPA
		err := f.plane.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Name}, &hpa)
		return len(hpa.Status.CurrentMetrics) > 0, err
	})
	return f.cost(func(ctx context.Context, a fedhpaplane.App) error {
		for pod := range 2 {
			patch := client.RawPatch("application/merge-patch+json",
				fmt.Appendf(nil, `{"containers":[{"name":"web","usage":{"cpu":"%dm","memory":"50Mi"}}]}`, 2*wanted))
			if err := f.plane.Client.Patch(ctx, podMetrics(a, pod), patch); err != nil {
				return err
			}
		}
		return nil
	}, func(d *appsv1.Deployment) bool { return *d.Spec.Replicas > 7 }, 2*time.Minute)
}

func addFederatedHPA(mgr ctrl.Manager) error {
	resources, err := resourceclient.NewForConfig(mgr.GetConfig())
	if err != nil {
		return err
	}
	events := mgr.GetEventRecorderFor(federatedhpa.ControllerName) //nolint:staticcheck // SA1019: the recorder the peer takes
	return (&federatedhpa.FHPAController{
		Client: mgr.GetClient(), EventRecorder: events, RESTMapper: mgr.GetRESTMapper(),
		DownscaleStabilisationWindow: 5 * time.Minute, HorizontalPodAutoscalerSyncPeriod: 15 * time.Second,
		ReplicaCalc: federatedhpa.NewReplicaCalculator(metricsclient.NewRESTMetricsClient(resources, nil, nil), .1, 5*time.Minute,
			30*time.Second),
		ClusterScaleClientSetFunc: util.NewClusterScaleClientSet,
		TypedInformerManager:      typedmanager.GetInstance(),
		ClusterCacheSyncTimeout:   metav1.Duration{Duration: 2 * time.Minute},
	}).SetupWithManager(mgr)
}

// joinMember lets one API server play all members, reached as Karmada reaches them: endpoint and token of the Cluster.
func (f *fedhpaFleet) joinMember() {
	ctx := f.t.Context()
	server := lab.StartAPIServer(f.t, lab.APIServerOptions{})
	config := rest.CopyConfig(server.Config)
	config.QPS = -1
	f.members = append(f.members, config)
	member := f.memberClient()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "karmada"}}
	f.must(member.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "fleet"}}))
	f.must(client.IgnoreAlreadyExists(member.Create(ctx, account)))
	f.must(member.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "karmada"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
	}))
	token := &authenticationv1.TokenRequest{}
	f.must(member.SubResource("token").Create(ctx, account, token))
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "fleet", Name: "member"},
		Data:       map[string][]byte{clusterv1alpha1.SecretTokenKey: []byte(token.Status.Token), clusterv1alpha1.SecretCADataKey: config.CAData},
	}
	f.must(f.plane.Client.Create(ctx, secret))
	for i := range fedhpaMembers {
		cluster := &clusterv1alpha1.Cluster{}
		f.must(f.plane.Client.Get(ctx, client.ObjectKey{Name: fmt.Sprintf("member%d", i+1)}, cluster))
		cluster.Spec.APIEndpoint = config.Host
		cluster.Spec.SecretRef = &clusterv1alpha1.LocalSecretReference{Namespace: secret.Namespace, Name: secret.Name}
		f.must(f.plane.Client.Update(ctx, cluster))
	}
}

func (f *fedhpaFleet) memberClient() client.Client {
	c, err := client.New(f.members[0], client.Options{Scheme: f.plane.Client.Scheme()})
	f.must(err)
	return c
}

func (f *fedhpaFleet) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// serveMetrics makes the control plane serve metrics.k8s.io, as karmada-metrics-adapter does, from what is stored.
func (f *fedhpaFleet) serveMetrics() {
	_, err := envtest.InstallCRDs(f.plane.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{{
		ObjectMeta: metav1.ObjectMeta{
			Name: "pods.metrics.k8s.io", Annotations: map[string]string{"api-approved.kubernetes.io": "unapproved, stands in for the metrics API"},
		},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "metrics.k8s.io", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "pods", Singular: "pod", Kind: "PodMetrics", ListKind: "PodMetricsList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1beta1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{
					OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: ptr.To(true)},
				},
			}},
		},
	}}})
	f.must(err)
}

func podName(a fedhpaplane.App, n int) string { return fmt.Sprintf("%s-%d", a.Name, n) }

func podMetrics(a fedhpaplane.App, n int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
		"metadata":  map[string]any{"namespace": a.Namespace, "name": podName(a, n), "labels": map[string]any{"app": a.Name}},
		"timestamp": "2026-01-01T00:00:00Z", "window": "15s",
		"containers": []any{map[string]any{"name": "web", "usage": map[string]any{"cpu": fmt.Sprintf("%dm", wanted), "memory": "50Mi"}}},
	}}
}

// runInMember is the workload as a member has it: two replicas that have run for long.
func (f *fedhpaFleet) runInMember(ctx context.Context, a fedhpaplane.App) error {
	member := f.memberClient()
	labels := map[string]string{"app": a.Name}
	pod := corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}}}}}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
	if err := member.Create(ctx, d); err != nil {
		return err
	}
	d.Status.Replicas, d.Status.ReadyReplicas = 2, 2
	if err := member.Status().Update(ctx, d); err != nil {
		return err
	}
	old := metav1.NewTime(f.clock.Now().Add(-time.Hour))
	for n := range 2 {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: podName(a, n), Labels: labels}, Spec: pod}
		if err := member.Create(ctx, p); err != nil {
			return err
		}
		p.Status = corev1.PodStatus{
			Phase: corev1.PodRunning, StartTime: &old, Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: old},
			},
		}
		if err := member.Status().Update(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func federatedHPA(a fedhpaplane.App) *karmadaautoscaling.FederatedHPA {
	return &karmadaautoscaling.FederatedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name},
		Spec: karmadaautoscaling.FederatedHPASpec{
			ScaleTargetRef: a.FedHPA(1, 2).Spec.ScaleTargetRef, MinReplicas: ptr.To[int32](3), MaxReplicas: 60,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{
					Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(wanted, resource.DecimalSI),
				},
			}}},
		},
	}
}

// measure counts requests and CPU of all that works while do runs.
func (f *fedhpaFleet) measure(do func()) spent {
	f.t.Helper()
	planeRequests, process := f.plane.Requests.Load(), cpuTime()
	requests, cpu := f.servers()
	do()
	after, used := f.servers()
	return spent{plane: f.plane.Requests.Load() - planeRequests, members: after - requests, process: cpuTime() - process, servers: used - cpu}
}

// servers reads the API servers' own figures: the requests members answered, and the CPU of all.
func (f *fedhpaFleet) servers() (requests int64, cpu time.Duration) {
	for i, config := range append([]*rest.Config{f.plane.Config}, f.members...) {
		families, err := scrape(f.t.Context(), config)
		f.must(err)
		cpu += time.Duration(families.sum("process_cpu_seconds_total", nil) * float64(time.Second))
		if i > 0 {
			requests += int64(families.sum("apiserver_request_total", func(labels map[string]string) bool { return labels["verb"] != "WATCH" }))
		}
	}
	return requests, cpu
}

// figures of one API server, by name: labels and value of each series.
type figures map[string][]series

type series struct {
	labels map[string]string
	value  float64
}

func (s figures) sum(name string, keep func(map[string]string) bool) float64 {
	var sum float64
	for _, one := range s[name] {
		if keep == nil || keep(one.labels) {
			sum += one.value
		}
	}
	return sum
}

func scrape(ctx context.Context, config *rest.Config) (figures, error) {
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(config.Host, "/")+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading an API server's metrics: %w", err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("parsing an API server's metrics: %w", err)
	}
	out := figures{}
	for _, name := range []string{"process_cpu_seconds_total", "apiserver_request_total"} {
		for _, m := range families[name].GetMetric() {
			one := series{labels: map[string]string{}, value: m.GetCounter().GetValue()}
			for _, pair := range m.GetLabel() {
				one.labels[pair.GetName()] = pair.GetValue()
			}
			out[name] = append(out[name], one)
		}
	}
	return out, nil
}
