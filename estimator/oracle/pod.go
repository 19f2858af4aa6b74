package oracle

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"
)

// requestOf is the total request as NodeResourcesFit computes it (pod-level resources are on by default from 1.34).
func requestOf(pod *corev1.Pod) *framework.Resource {
	request := framework.NewResource(nil)
	request.SetMaxResource(resource.PodRequests(pod, resource.PodResourcesOptions{}))
	return request
}

func forEachHostPort(pod *corev1.Pod, visit func(corev1.ContainerPort)) {
	for _, port := range schedutil.GetHostPorts(pod) {
		visit(port)
	}
}

// localKey holds everything of the pod that the node-local plugins of the view read, after the signing rules of KEP-5598: two pods of one
// key get one verdict on every node. An out-of-tree plugin may read anything, so there the whole pod is the key, but for what makes one
// copy differ from another.
func (v *view) localKey(c *countedPod) (string, error) {
	signed := &corev1.Pod{Spec: corev1.PodSpec{
		NodeName:     c.pod.Spec.NodeName,
		NodeSelector: c.pod.Spec.NodeSelector,
		Tolerations:  c.pod.Spec.Tolerations,
	}}
	if affinity := c.pod.Spec.Affinity; affinity != nil && affinity.NodeAffinity != nil {
		signed.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution}}
	}
	if v.custom {
		signed = c.pod.DeepCopy()
		signed.Name, signed.UID, signed.ResourceVersion = "", "", ""
	}
	data, err := signed.Marshal()
	if err != nil {
		return "", fmt.Errorf("signing the pod: %w", err)
	}
	var key strings.Builder
	fmt.Fprintf(&key, "local|%s|%d|%d|%d|", v.name, c.resource.MilliCPU, c.resource.Memory, c.resource.EphemeralStorage)
	names := make([]string, 0, len(c.resource.ScalarResources))
	for name, value := range c.resource.ScalarResources {
		names = append(names, fmt.Sprintf("%s=%d|", name, value))
	}
	slices.Sort(names)
	for _, name := range names {
		key.WriteString(name)
	}
	for _, port := range c.ports {
		fmt.Fprintf(&key, "%s/%s/%d|", port.HostIP, port.Protocol, port.HostPort)
	}
	key.Write(data)
	return key.String(), nil
}

// termsKey identifies parsed affinity terms.
func termsKey(kind string, terms []fwk.AffinityTerm) string {
	var key strings.Builder
	key.WriteString(kind)
	for i := range terms {
		fmt.Fprintf(&key, "|%s|%s|%s|%q", terms[i].TopologyKey, terms[i].Selector, terms[i].NamespaceSelector, sets.List(terms[i].Namespaces))
	}
	return key.String()
}
