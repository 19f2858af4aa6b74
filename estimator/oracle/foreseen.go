package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/argosy-dev/argosy/estimator/fit"
)

// foreseen knows the DaemonSet pods that nodes are still to get. A node that has just joined looks empty; by the time it takes ordinary
// pods, its agents are on it.
//
// Whether a DaemonSet wants a pod on a node is asked of the DaemonSet controller's own code. Priority does not matter: a pod that comes
// later and is less important still takes room that is free now. A pod that does not fit its node is not foreseen: it takes nothing.
type foreseen struct {
	sets appslisters.DaemonSetLister
	// more, if set, lists DaemonSets of other kinds that place their pods by the same rules.
	more func() []*appsv1.DaemonSet
	// admit is what the member's admission makes of a pod, or an error if it refuses it.
	admit func(*corev1.Pod) (*corev1.Pod, error)

	// nodes holds what was found for nodes under the sets of version.
	nodes   perNode[expecting]
	version string
}

// expecting is a node with the pods it is still to get.
type expecting struct {
	node fwk.NodeInfo
	pods []*corev1.Pod
}

// add returns the nodes as they will be. A node that is to get nothing is the node itself.
func (f *foreseen) add(nodes []fwk.NodeInfo) ([]expecting, error) {
	sets, err := f.all()
	if err != nil {
		return nil, err
	}
	sets = slices.DeleteFunc(sets, func(set *appsv1.DaemonSet) bool { return set.DeletionTimestamp != nil })
	slices.SortFunc(sets, func(a, b *appsv1.DaemonSet) int { return strings.Compare(string(a.UID), string(b.UID)) })
	if version := versionOf(sets); version != f.version {
		f.nodes, f.version = perNode[expecting]{}, version
	}
	faults := make([]error, workers())
	found, _ := f.nodes.refresh(nodes, func(worker, i int) expecting {
		e, err := f.expect(nodes[i], sets)
		if err != nil {
			faults[worker] = err
		}
		return e
	})
	for i := range found {
		if len(found[i].pods) == 0 {
			// The snapshot keeps a node's place in memory; what was remembered may be an older one of equal content.
			found[i].node = nodes[i]
		}
	}
	return found, errors.Join(faults...)
}

// all are the DaemonSets of every kind.
func (f *foreseen) all() ([]*appsv1.DaemonSet, error) {
	sets, err := f.sets.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing DaemonSets: %w", err)
	}
	if f.more != nil {
		sets = append(slices.Clip(sets), f.more()...)
	}
	return sets, nil
}

func versionOf(sets []*appsv1.DaemonSet) string {
	var version strings.Builder
	for _, set := range sets {
		fmt.Fprintf(&version, "%s/%d ", set.UID, set.Generation)
	}
	return version.String()
}

func (f *foreseen) expect(node fwk.NodeInfo, sets []*appsv1.DaemonSet) (expecting, error) {
	there := map[types.UID]bool{}
	for _, pod := range node.GetPods() {
		if owner := metav1.GetControllerOfNoCopy(pod.GetPod()); owner != nil && owner.Kind == "DaemonSet" {
			there[owner.UID] = true
		}
	}
	e := expecting{node: node}
	for _, set := range sets {
		if there[set.UID] {
			continue
		}
		if wanted, _ := daemon.NodeShouldRunDaemonPod(klog.Background(), node.Node(), set); !wanted {
			continue
		}
		pod, err := f.podOf(set, node.Node().Name)
		if err != nil {
			continue // admission refuses it: it will not come
		}
		info, err := framework.NewPodInfo(pod)
		if err != nil {
			return e, fmt.Errorf("DaemonSet %s: %w", klog.KObj(set), err)
		}
		demand := fit.NewDemand(requestOf(pod), fit.Ignored{})
		if fit.Bound(&demand, e.node.GetAllocatable(), e.node.GetRequested(), len(e.node.GetPods())) < 1 {
			continue
		}
		if len(e.pods) == 0 {
			e.node = node.Snapshot()
		}
		e.node.AddPodInfo(info)
		e.pods = append(e.pods, pod)
	}
	return e, nil
}

// podOf is the pod that the controller would make, as the member would store it.
func (f *foreseen) podOf(set *appsv1.DaemonSet, node string) (*corev1.Pod, error) {
	pod := daemon.NewPod(set, node).DeepCopy()
	pod.Name = fmt.Sprintf("%s-argosy-%s", set.Name, node)
	pod.UID = types.UID(fmt.Sprintf("argosy-%s-%s", set.UID, node))
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("DaemonSet"))}
	if f.admit == nil {
		return pod, nil
	}
	return f.admit(pod)
}

// has tells whether a pod belongs to a DaemonSet whose pods are foreseen, so that one that waits for its node is not counted twice.
func (f *foreseen) has(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind != "DaemonSet" {
		return false
	}
	// The lister reads memory and does not fail.
	sets, _ := f.all()
	return slices.ContainsFunc(sets, func(set *appsv1.DaemonSet) bool { return set.UID == owner.UID && set.DeletionTimestamp == nil })
}

// assumeForeseen puts the foreseen pods into the scheduler's cache, for questions that the scheduler itself answers. The caller holds the
// turn and calls what is returned before giving it back.
func (o *Oracle) assumeForeseen(ctx context.Context) (forget func() error, err error) {
	logger := klog.FromContext(ctx)
	var assumed []*corev1.Pod
	forget = func() error {
		var errs []error
		for _, pod := range assumed {
			errs = append(errs, o.sched.Cache.ForgetPod(logger, pod))
		}
		return errors.Join(errs...)
	}
	if err := o.refresh(ctx); err != nil {
		return forget, err
	}
	for _, node := range o.shared.nodes {
		for _, pod := range node.pods {
			if err := o.sched.Cache.AssumePod(logger, pod); err != nil {
				return forget, fmt.Errorf("assuming a DaemonSet's pod: %w", err)
			}
			assumed = append(assumed, pod)
		}
	}
	return forget, nil
}
