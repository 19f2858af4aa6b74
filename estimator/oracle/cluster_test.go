package oracle

import (
	"context"
	"fmt"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// cluster builds a member out of objects. The fake clientset stands in for a member's API server, which is not what these tests are about;
// the scheduler is the real one.
type cluster struct {
	objects       []runtime.Object
	configuration string
	plugins       Plugins
	admit         func(*corev1.Pod) (*corev1.Pod, error)
}

func (c *cluster) start(t testing.TB) *Oracle {
	t.Helper()
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	t.Cleanup(cancel)
	return c.startWith(ctx, func(err error) { t.Helper(); t.Fatal(err) })
}

func (c *cluster) startWith(ctx context.Context, fail func(error)) *Oracle {
	client := fake.NewClientset(c.objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	configuration, err := LoadConfiguration("", c.plugins)
	if c.configuration != "" {
		configuration, err = ParseConfiguration([]byte(c.configuration), c.plugins)
	}
	if err != nil {
		fail(err)
	}
	o, err := New(ctx, Config{
		Client: client, Informers: factory, Configuration: configuration, Plugins: c.plugins, Clock: clock.RealClock{}, Admit: c.admit,
	})
	if err != nil {
		fail(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if err := o.WaitForSync(ctx); err != nil {
		fail(err)
	}
	return o
}

func node(name string, cpu, pods int, labels map[string]string) *corev1.Node {
	all := map[string]string{corev1.LabelHostname: name}
	maps.Copy(all, labels)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: all},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU:    *resource.NewQuantity(int64(cpu), resource.DecimalSI),
			corev1.ResourceMemory: resource.MustParse("64Gi"),
			corev1.ResourcePods:   *resource.NewQuantity(int64(pods), resource.DecimalSI),
		}},
	}
}

// podWith starts a pod: a namespace, a name, CPU in milli, labels by pairs.
func podWith(name string, milliCPU int64, labels map[string]string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), Labels: labels},
		Spec: corev1.PodSpec{SchedulerName: corev1.DefaultSchedulerName, Containers: []corev1.Container{{
			Name: "main", Image: "app",
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(milliCPU, resource.DecimalSI)},
			},
		}}},
	}
	for _, apply := range change {
		apply(pod)
	}
	return pod
}

func on(node string) func(*corev1.Pod) { return func(pod *corev1.Pod) { pod.Spec.NodeName = node } }

func priority(value int32) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Priority = &value }
}

func selecting(labels map[string]string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: labels}
}

func antiAffinity(key string, selector *metav1.LabelSelector) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		affinityOf(pod).PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: append(
			antiTerms(pod), corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: selector})}
	}
}

func antiTerms(pod *corev1.Pod) []corev1.PodAffinityTerm {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.PodAntiAffinity == nil {
		return nil
	}
	return pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

func affinity(key string, selector *metav1.LabelSelector) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		affinityOf(pod).PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: key, LabelSelector: selector}}}
	}
}

func affinityOf(pod *corev1.Pod) *corev1.Affinity {
	if pod.Spec.Affinity == nil {
		pod.Spec.Affinity = &corev1.Affinity{}
	}
	return pod.Spec.Affinity
}

func spread(key string, skew int32, selector *metav1.LabelSelector, change ...func(*corev1.TopologySpreadConstraint)) func(*corev1.Pod) {
	constraint := corev1.TopologySpreadConstraint{
		TopologyKey: key, MaxSkew: skew, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector,
	}
	for _, apply := range change {
		apply(&constraint)
	}
	return func(pod *corev1.Pod) {
		pod.Spec.TopologySpreadConstraints = append(pod.Spec.TopologySpreadConstraints, constraint)
	}
}

func hostPort(port int32) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports, corev1.ContainerPort{
			HostPort: port, ContainerPort: port, Protocol: corev1.ProtocolTCP,
		})
	}
}

func selectNode(key, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.NodeSelector = map[string]string{key: value} }
}

func tolerate(key string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists})
	}
}

func zone(i int) map[string]string {
	return map[string]string{corev1.LabelTopologyZone: fmt.Sprintf("z%d", i)}
}
