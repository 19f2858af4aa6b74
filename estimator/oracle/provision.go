package oracle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// A claim of a class that provisions at once is bound before its pod is scheduled, to a volume in a part of the member that the provisioner
// chooses. Which one, nobody knows beforehand.

// segment is a part of the member that volumes can be confined to: values of topology labels.
type segment map[string]string

// segments are the parts that the volumes of the question's copies may turn up in; confined is false where they can be reached from every
// node.
func (o *Oracle) segments(i *inquiry) (found []segment, confined bool, err error) {
	var classes []*storagev1.StorageClass
	_, claims := i.Each(0)
	for _, claim := range claims {
		if class := o.provisionsAtOnce(claim); class != nil {
			classes = append(classes, class)
		}
	}
	if len(classes) == 0 {
		return nil, false, nil
	}
	keys := map[string]bool{}
	for _, class := range classes {
		if err := o.topologyKeys(class, keys); err != nil {
			return nil, false, err
		}
	}
	if len(keys) == 0 {
		return nil, false, nil
	}
	seen := map[string]bool{}
	o.guard.RLock()
	defer o.guard.RUnlock()
	for _, node := range o.shared.nodes {
		s, name := segment{}, ""
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if value, ok := node.node.Node().Labels[key]; ok {
				s[key] = value
				name += key + "=" + value + ","
			}
		}
		allowed := len(s) == len(keys)
		for _, class := range classes {
			allowed = allowed && s.allowedBy(class)
		}
		if allowed && !seen[name] {
			seen[name] = true
			found = append(found, s)
		}
	}
	return found, true, nil
}

// topologyKeys adds the labels that confine a class's volumes: what its driver says on the nodes it runs on, and what the class itself
// says.
func (o *Oracle) topologyKeys(class *storagev1.StorageClass, keys map[string]bool) error {
	nodes, err := o.drivers.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing CSINodes: %w", err)
	}
	for _, node := range nodes {
		for _, driver := range node.Spec.Drivers {
			if driver.Name == class.Provisioner {
				for _, key := range driver.TopologyKeys {
					keys[key] = true
				}
			}
		}
	}
	for _, term := range class.AllowedTopologies {
		for _, expression := range term.MatchLabelExpressions {
			keys[expression.Key] = true
		}
	}
	return nil
}

func (s segment) allowedBy(class *storagev1.StorageClass) bool {
	for _, term := range class.AllowedTopologies {
		matches := true
		for _, expression := range term.MatchLabelExpressions {
			matches = matches && slices.Contains(expression.Values, s[expression.Key])
		}
		if matches {
			return true
		}
	}
	return len(class.AllowedTopologies) == 0
}

func (s segment) String() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		parts = append(parts, key+"="+s[key])
	}
	return strings.Join(parts, ",")
}

// fitConfined counts copies whose volumes will be confined to a part of the member that is not known yet: the least over the parts, all
// volumes in that part.
//
// Proof that so many fit wherever the volumes turn up. Let n be the least. Whatever way n volumes fall, each part gets at most n of them,
// and the part would take n by itself. Copies in other parts take nothing from it: parts share no node, and a spread constraint only
// loosens as other domains fill, since confining changes neither its domains nor their least count (see confine). Required affinity is the
// exception: copies may have to be near one that a volume keeps elsewhere; there one copy is all that is proven.
func (o *Oracle) fitConfined(ctx context.Context, i *inquiry, parts []segment) (Answer, error) {
	least := Answer{Path: PathPlaced, Why: "no node is where the volumes may be"}
	share := i.Budget / time.Duration(max(1, len(parts)))
	for number, part := range parts {
		confined := *i
		confined.Budget = share
		confined.Each = func(copyNumber int) (*corev1.Pod, []*corev1.PersistentVolumeClaim) {
			pod, claims := i.Each(copyNumber)
			if o.bringsVolumeAtOnce(claims) {
				pod = part.confine(pod)
			}
			return pod, claims
		}
		answer, err := o.fitBehind(ctx, &confined)
		if err != nil {
			return Answer{}, err
		}
		if number == 0 || answer.Count < least.Count {
			least = answer
			least.Why = fmt.Sprintf("volumes are provisioned before scheduling, at worst all in %s", part)
		}
	}
	if i.pod.pod.Spec.Affinity != nil && len(i.pod.info.GetRequiredAffinityTerms()) > 0 {
		least.Count = min(least.Count, 1)
	}
	if chooses(i.pod.pod) && spreads(i.pod.pod) {
		least.Count, least.Why = 0, "volumes are provisioned before scheduling; with node affinity and hard spread constraints nothing is proven"
	}
	least.Exact = false
	return least, nil
}

// confine keeps a copy on the nodes of the part, as its volume would. Its spread constraints must go on to see all nodes: a volume does not
// narrow their domains, node affinity does unless told otherwise.
func (s segment) confine(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	for i := range pod.Spec.TopologySpreadConstraints {
		pod.Spec.TopologySpreadConstraints[i].NodeAffinityPolicy = ptr.To(corev1.NodeInclusionPolicyIgnore)
	}
	if pod.Spec.NodeSelector == nil {
		pod.Spec.NodeSelector = map[string]string{}
	}
	for key, value := range s {
		if own, ok := pod.Spec.NodeSelector[key]; ok && own != value {
			value = "" // a contradiction: no node
		}
		pod.Spec.NodeSelector[key] = value
	}
	return pod
}

func chooses(pod *corev1.Pod) bool {
	return len(pod.Spec.NodeSelector) > 0 || pod.Spec.Affinity != nil && pod.Spec.Affinity.NodeAffinity != nil
}

func spreads(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
		return c.WhenUnsatisfiable == corev1.DoNotSchedule
	})
}

func (o *Oracle) bringsVolumeAtOnce(claims []*corev1.PersistentVolumeClaim) bool {
	return slices.ContainsFunc(claims, func(claim *corev1.PersistentVolumeClaim) bool { return o.provisionsAtOnce(claim) != nil })
}

// provisionsAtOnce returns the class of a claim that the member lacks and would make a volume for before its pod is scheduled; nil of any
// other claim. For one that names its volume, none is made.
func (o *Oracle) provisionsAtOnce(claim *corev1.PersistentVolumeClaim) *storagev1.StorageClass {
	if claim.Spec.StorageClassName == nil || claim.Spec.VolumeName != "" {
		return nil
	}
	if o.hasClaim(claim) {
		return nil
	}
	class, err := o.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || class.Provisioner == "kubernetes.io/no-provisioner" {
		return nil
	}
	if class.VolumeBindingMode != nil && *class.VolumeBindingMode != storagev1.VolumeBindingImmediate {
		return nil
	}
	return class
}
