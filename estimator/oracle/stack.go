package oracle

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// stack is a node with some copies of one pod put on top of what it holds, as Filter would see it. NodeInfo.Snapshot and AddPod say the
// same and copy the whole node for each copy; a question asks about every node of the member, so this one copies nothing but what changes.
type stack struct {
	fwk.NodeInfo
	copies    int64
	pods      []fwk.PodInfo
	requested framework.Resource
	ports     fwk.HostPortInfo
}

// load puts copies of pod on node. scratch is reused between calls.
func (s *stack) load(node fwk.NodeInfo, pod *countedPod, copies int64) *stack {
	s.NodeInfo, s.copies, s.ports = node, copies, nil
	if copies == 0 {
		return s
	}
	s.pods = append(s.pods[:0], node.GetPods()...)
	for range copies {
		s.pods = append(s.pods, pod.info)
	}
	used := node.GetRequested()
	s.requested = framework.Resource{
		MilliCPU:         used.GetMilliCPU() + copies*pod.resource.MilliCPU,
		Memory:           used.GetMemory() + copies*pod.resource.Memory,
		EphemeralStorage: used.GetEphemeralStorage() + copies*pod.resource.EphemeralStorage,
		AllowedPodNumber: used.GetAllowedPodNumber(),
		ScalarResources:  used.GetScalarResources(),
	}
	if len(pod.resource.ScalarResources) > 0 {
		s.requested.ScalarResources = make(map[corev1.ResourceName]int64, len(used.GetScalarResources())+len(pod.resource.ScalarResources))
		maps.Copy(s.requested.ScalarResources, used.GetScalarResources())
		for name, value := range pod.resource.ScalarResources {
			s.requested.ScalarResources[name] += copies * value
		}
	}
	if len(pod.ports) > 0 {
		s.ports = pod.portsOn(node)
	}
	return s
}

func (s *stack) GetPods() []fwk.PodInfo {
	if s.copies == 0 {
		return s.NodeInfo.GetPods()
	}
	return s.pods
}

func (s *stack) GetRequested() fwk.Resource {
	if s.copies == 0 {
		return s.NodeInfo.GetRequested()
	}
	return &s.requested
}

func (s *stack) GetUsedPorts() fwk.HostPortInfo {
	if s.ports == nil {
		return s.NodeInfo.GetUsedPorts()
	}
	return s.ports
}

// countedPod is the pod whose copies are counted, with what each of them takes.
type countedPod struct {
	pod      *corev1.Pod
	info     *framework.PodInfo
	resource framework.Resource
	ports    []corev1.ContainerPort
}

func newCountedPod(pod *corev1.Pod) (*countedPod, error) {
	info, err := framework.NewPodInfo(pod)
	c := &countedPod{pod: pod, info: info, resource: *requestOf(pod)}
	forEachHostPort(pod, func(port corev1.ContainerPort) { c.ports = append(c.ports, port) })
	return c, err
}

func (c *countedPod) portsOn(node fwk.NodeInfo) fwk.HostPortInfo {
	ports := fwk.HostPortInfo{}
	for ip, taken := range node.GetUsedPorts() {
		ports[ip] = make(map[fwk.ProtocolPort]struct{}, len(taken)+len(c.ports))
		for port := range taken {
			ports[ip][port] = struct{}{}
		}
	}
	for _, port := range c.ports {
		ports.Add(port.HostIP, string(port.Protocol), port.HostPort)
	}
	return ports
}
