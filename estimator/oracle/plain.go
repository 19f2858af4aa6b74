package oracle

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/utils/ptr"
)

// mostPlain bounds the claims looked up for one question.
const mostPlain = 10000

// fitPlain answers for copies whose claims bind no copy to any place: then they count as if they had none, by closed form, and a first
// StatefulSet of thousands needs no placing one by one. ok is false where the claims may matter.
func (o *Oracle) fitPlain(ctx context.Context, i *inquiry) (answer Answer, ok bool, err error) {
	pod, ok := o.plain(i)
	if !ok {
		return Answer{}, false, nil
	}
	parsed, err := newCountedPod(i.view.relevant(pod))
	if err != nil {
		return Answer{}, false, nil //nolint:nilerr // what does not parse is refused where the claims are looked at
	}
	without := *i
	without.Each, without.pod = nil, parsed
	without.rules = o.rules(&without)
	answer, err = o.fit(ctx, &without)
	if err != nil {
		return Answer{}, false, err
	}
	counted := answer.Count
	if i.Most > 0 {
		counted = min(counted, i.Most)
	}
	return answer, counted <= mostPlain && o.bringNew(i, int(counted)), nil
}

// plain is the copy without the claims that it brings, if those may be provisioned wherever it goes.
func (o *Oracle) plain(i *inquiry) (*corev1.Pod, bool) {
	if i.Each == nil || i.Judge {
		return nil, false
	}
	pod, claims := i.Each(0)
	_, next := i.Each(1)
	pod = pod.DeepCopy()
	for number, claim := range claims {
		shared := number < len(next) && next[number].Name == claim.Name
		if shared || !o.anywhere(claim) {
			return nil, false
		}
		dropVolume(pod, claim.Name)
	}
	return pod, true
}

// anywhere: the claim's volume is made on demand, for whatever node the scheduler chooses. Neither a topology of the class, nor a capacity
// that its driver publishes, nor a limit of volumes on a node has a say (VolumeBinding, NodeVolumeLimits).
func (o *Oracle) anywhere(claim *corev1.PersistentVolumeClaim) bool {
	if claim.Spec.StorageClassName == nil || claim.Spec.VolumeName != "" {
		return false
	}
	class, err := o.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || len(class.AllowedTopologies) > 0 || strings.HasPrefix(class.Provisioner, "kubernetes.io/") ||
		ptr.Deref(class.VolumeBindingMode, storagev1.VolumeBindingImmediate) != storagev1.VolumeBindingWaitForFirstConsumer {
		return false
	}
	driver, err := o.storage.Get(class.Provisioner)
	if err == nil && ptr.Deref(driver.Spec.StorageCapacity, false) {
		return false
	}
	return !limited(o.drivers, class.Provisioner)
}

// limited: some node takes only so many volumes of the driver.
func limited(nodes storagelisters.CSINodeLister, driver string) bool {
	// The lister reads memory and does not fail.
	all, _ := nodes.List(labels.Everything())
	for _, node := range all {
		for _, here := range node.Spec.Drivers {
			if here.Name == driver && here.Allocatable != nil && here.Allocatable.Count != nil {
				return true
			}
		}
	}
	return false
}

// bringNew: none of the claims that the copies bring is there already, left behind by an earlier replica and bound to its place.
func (o *Oracle) bringNew(i *inquiry, copies int) bool {
	for number := range copies {
		_, claims := i.Each(number)
		for _, claim := range claims {
			if o.hasClaim(claim) {
				return false
			}
		}
	}
	return true
}
