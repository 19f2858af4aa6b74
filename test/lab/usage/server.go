package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/utils/clock"
)

// path of the API.
const path = "/apis/metrics.k8s.io/v1beta1"

// window is the time a figure is said to be measured over: autoscalers do not count a pod that was not Ready all the while.
const window = time.Second

// A pod without the annotation uses what KWOK's own rule says (kustomize/metrics/usage/usage-from-annotation.yaml).
var rules = map[corev1.ResourceName]struct{ annotation, otherwise string }{
	corev1.ResourceCPU:    {"kwok.x-k8s.io/usage-cpu", "1m"},
	corev1.ResourceMemory: {"kwok.x-k8s.io/usage-memory", "1Mi"},
}

// Server answers from what the member's API server says of pods at the time of the question.
type Server struct {
	Client kubernetes.Interface
	Clock  clock.PassiveClock
}

// Options of Serve.
type Options struct {
	// Kubeconfig reaches the member.
	Kubeconfig string
	// Address to listen at, with the certificate and key of these files.
	Address, Certificate, Key string
}

// Serve answers until the context ends.
func Serve(ctx context.Context, o Options) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading kubeconfig %s: %w", o.Kubeconfig, err)
	}
	cfg.QPS = -1
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	server := &http.Server{
		Addr: o.Address, Handler: Server{Client: client, Clock: clock.RealClock{}}.Handler(), ReadHeaderTimeout: time.Minute,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServeTLS(o.Certificate, o.Key); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving usage: %w", err)
	}
	return nil
}

// Handler serves discovery and the lists of pods.
func (s Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
			GroupVersion: metricsv1beta1.SchemeGroupVersion.String(),
			APIResources: []metav1.APIResource{{Name: "pods", Namespaced: true, Kind: "PodMetrics", Verbs: metav1.Verbs{"list"}}},
		})
	})
	mux.HandleFunc("GET "+path+"/pods", s.list)
	mux.HandleFunc("GET "+path+"/namespaces/{namespace}/pods", s.list)
	return mux
}

func (s Server) list(w http.ResponseWriter, r *http.Request) {
	pods, err := s.Client.CoreV1().Pods(r.PathValue("namespace")).List(r.Context(), metav1.ListOptions{
		LabelSelector: r.URL.Query().Get("labelSelector"),
	})
	if err != nil {
		http.Error(w, fmt.Sprintf("listing pods: %v", err), http.StatusInternalServerError)
		return
	}
	out := metricsv1beta1.PodMetricsList{
		TypeMeta: metav1.TypeMeta{APIVersion: metricsv1beta1.SchemeGroupVersion.String(), Kind: "PodMetricsList"},
	}
	for i := range pods.Items {
		// What does not run uses nothing that could be measured.
		if pods.Items[i].Status.Phase != corev1.PodRunning {
			continue
		}
		used, err := s.used(&pods.Items[i])
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out.Items = append(out.Items, used)
	}
	answer(w, out)
}

// used is what each container of a pod uses.
func (s Server) used(pod *corev1.Pod) (metricsv1beta1.PodMetrics, error) {
	out := metricsv1beta1.PodMetrics{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels},
		Timestamp:  metav1.NewTime(s.Clock.Now()), Window: metav1.Duration{Duration: window},
	}
	usage := corev1.ResourceList{}
	for name, rule := range rules {
		text, said := pod.Annotations[rule.annotation]
		if !said {
			text = rule.otherwise
		}
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			return out, fmt.Errorf("reading annotation %s of pod %s/%s: %w", rule.annotation, pod.Namespace, pod.Name, err)
		}
		usage[name] = quantity
	}
	for i := range pod.Spec.Containers {
		out.Containers = append(out.Containers, metricsv1beta1.ContainerMetrics{Name: pod.Spec.Containers[i].Name, Usage: usage})
	}
	return out, nil
}

func answer(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object) // the asker may have gone
}
