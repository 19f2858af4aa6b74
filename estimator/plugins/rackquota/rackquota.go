// Package rackquota is a scheduler plugin: at most so many pods of one application in one rack.
//
// It is the example of an out-of-tree plugin that Argosy's estimator respects, and small enough to copy. Decides: whether a node's rack has
// room for one more pod of the pod's application. Reads: the label of the pod that names its application, the label of nodes that names
// their rack, and the pods of the scheduler's snapshot. Writes: nothing.
//
// It looks across nodes (a rack is many nodes), so the estimator places its pods one by one.
package rackquota

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
)

// Name of the plugin in a KubeSchedulerConfiguration.
const Name = "RackQuota"

// Args of the plugin.
type Args struct {
	// NodeLabel names the rack of a node. Nodes without it are in no rack and have no quota.
	NodeLabel string `json:"nodeLabel"`
	// PodLabel names the application of a pod. Pods without it have no quota.
	PodLabel string `json:"podLabel"`
	// Most is how many pods of one application one rack takes.
	Most int `json:"most"`
}

// Plugin is the plugin.
type Plugin struct {
	args   Args
	handle fwk.Handle
}

var (
	_ fwk.PreFilterPlugin = &Plugin{}
	_ fwk.FilterPlugin    = &Plugin{}
)

// New is the plugin's factory.
func New(_ context.Context, object runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	args := Args{NodeLabel: "rack", PodLabel: "app"}
	if raw, ok := object.(*runtime.Unknown); ok && len(raw.Raw) > 0 {
		if err := json.Unmarshal(raw.Raw, &args); err != nil {
			return nil, fmt.Errorf("%s: reading arguments: %w", Name, err)
		}
	}
	if args.Most < 1 || args.NodeLabel == "" || args.PodLabel == "" {
		return nil, fmt.Errorf("%s: nodeLabel and podLabel must not be empty and most must be at least 1, have %+v", Name, args)
	}
	return &Plugin{args: args, handle: handle}, nil
}

// Name implements fwk.Plugin.
func (p *Plugin) Name() string { return Name }

const stateKey = Name + "/counts"

// counts of the pod's application by rack.
type counts map[string]int

// Clone implements fwk.StateData.
func (c counts) Clone() fwk.StateData {
	return maps.Clone(c)
}

// PreFilter counts the application's pods by rack, once a scheduling cycle.
func (p *Plugin) PreFilter(_ context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) (*fwk.PreFilterResult,
	*fwk.Status) {
	application, ok := pod.Labels[p.args.PodLabel]
	if !ok {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	found := counts{}
	for _, node := range nodes {
		rack, ok := node.Node().Labels[p.args.NodeLabel]
		if !ok {
			continue
		}
		for _, other := range node.GetPods() {
			if p.counted(other.GetPod(), pod.Namespace, application) {
				found[rack]++
			}
		}
	}
	state.Write(stateKey, found)
	return nil, nil
}

func (p *Plugin) counted(pod *corev1.Pod, namespace, application string) bool {
	return pod.Namespace == namespace && pod.DeletionTimestamp == nil && pod.Labels[p.args.PodLabel] == application
}

// PreFilterExtensions keeps the counts right when the scheduler tries pods on and off a node (preemption, nominated pods).
func (p *Plugin) PreFilterExtensions() fwk.PreFilterExtensions { return p }

// AddPod implements fwk.PreFilterExtensions.
func (p *Plugin) AddPod(_ context.Context, state fwk.CycleState, pod *corev1.Pod, added fwk.PodInfo, node fwk.NodeInfo) *fwk.Status {
	return p.change(state, pod, added.GetPod(), node, 1)
}

// RemovePod implements fwk.PreFilterExtensions.
func (p *Plugin) RemovePod(_ context.Context, state fwk.CycleState, pod *corev1.Pod, removed fwk.PodInfo, node fwk.NodeInfo) *fwk.Status {
	return p.change(state, pod, removed.GetPod(), node, -1)
}

func (p *Plugin) change(state fwk.CycleState, pod, other *corev1.Pod, node fwk.NodeInfo, by int) *fwk.Status {
	found, err := read(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	if rack, ok := node.Node().Labels[p.args.NodeLabel]; ok && p.counted(other, pod.Namespace, pod.Labels[p.args.PodLabel]) {
		found[rack] += by
	}
	return nil
}

// Filter turns away nodes whose rack is full.
func (p *Plugin) Filter(_ context.Context, state fwk.CycleState, _ *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	found, err := read(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	if rack, ok := node.Node().Labels[p.args.NodeLabel]; ok && found[rack] >= p.args.Most {
		return fwk.NewStatus(fwk.Unschedulable, fmt.Sprintf("rack %s has %d pods of the application", rack, found[rack]))
	}
	return nil
}

func read(state fwk.CycleState) (counts, error) {
	data, err := state.Read(stateKey)
	if err != nil {
		return nil, fmt.Errorf("%s: reading counts: %w", Name, err)
	}
	found, ok := data.(counts)
	if !ok {
		return nil, fmt.Errorf("%s: counts are a %T", Name, data)
	}
	return found, nil
}
