package decide

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// opening is what clusters may have.
type opening struct {
	// all opens those to come, too.
	all bool
	// whole clusters, and replicas of others.
	whole map[string]bool
	parts map[string]int64
}

// nothing is open.
func nothing() opening { return opening{whole: map[string]bool{}, parts: map[string]int64{}} }

// everything is open.
func everything(clusters []Cluster) opening {
	o := nothing()
	o.all = true
	for _, c := range clusters {
		o.whole[c.Name] = true
	}
	return o
}

// upTo opens the stages up to and with the last. given is what clusters have of this revision already: more replicas of the
// template, a cluster that joins, or other stages take nothing back, and it counts for the numbers of stages.
func upTo(stages []v1alpha1.Stage, last int, clusters []Cluster, given opening) (opening, error) {
	o := nothing()
	for _, c := range clusters {
		if given.whole[c.Name] {
			o.whole[c.Name] = true
		} else if n := min(given.parts[c.Name], c.Replicas); n > 0 {
			o.parts[c.Name] = n
		}
	}
	for i, stage := range stages[:last+1] {
		if stage.Clusters == nil && stage.Updated == nil {
			return everything(clusters), nil
		}
		scope, err := selected(stage.Clusters, clusters)
		if err != nil {
			return o, fmt.Errorf("spec.stages[%d].clusters.selector: %w", i, err)
		}
		if stage.Updated == nil {
			for _, c := range scope {
				o.whole[c.Name] = true
				delete(o.parts, c.Name)
			}
			continue
		}
		o.divide(wanted(stage.Updated, clusters)-o.sum(clusters), scope)
	}
	return o, nil
}

// selected clusters; all without a selection.
func selected(selection *v1alpha1.ClusterSelection, clusters []Cluster) ([]Cluster, error) {
	if selection == nil {
		return clusters, nil
	}
	matches := labels.Nothing()
	if selection.Selector != nil {
		var err error
		if matches, err = metav1.LabelSelectorAsSelector(selection.Selector); err != nil {
			return nil, err
		}
	}
	var out []Cluster
	for _, c := range clusters {
		if slices.Contains(selection.Names, c.Name) || matches.Matches(labels.Set(c.Labels)) {
			out = append(out, c)
		}
	}
	return out, nil
}

// wanted replicas of the whole federation; a percentage is rounded up, so that no stage is empty.
func wanted(updated *intstr.IntOrString, clusters []Cluster) int64 {
	total := replicas(clusters)
	if updated.Type == intstr.Int {
		return min(int64(updated.IntVal), total)
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(updated.StrVal, "%"))
	if err != nil {
		return 0 // the schema refuses such; a doubt opens nothing
	}
	return min(int64(math.Ceil(float64(total)*float64(percent)/100)), total)
}

func replicas(clusters []Cluster) int64 {
	total := int64(0)
	for _, c := range clusters {
		total += c.Replicas
	}
	return total
}

// sum of the replicas that are open.
func (o opening) sum(clusters []Cluster) int64 {
	sum := int64(0)
	for _, c := range clusters {
		if o.whole[c.Name] {
			sum += c.Replicas
		} else {
			sum += o.parts[c.Name]
		}
	}
	return sum
}

// divide n further replicas, one at a time, to the cluster that has the smallest part of its own: Webster's method, as Karmada divides
// replicas. It takes nothing back when n grows.
func (o opening) divide(n int64, scope []Cluster) {
	for ; n > 0; n-- {
		best, least := "", math.Inf(1)
		for _, c := range scope {
			have := o.parts[c.Name]
			if o.whole[c.Name] || have >= c.Replicas {
				continue
			}
			if part := (float64(have) + 0.5) / float64(c.Replicas); part < least {
				best, least = c.Name, part
			}
		}
		if best == "" {
			return
		}
		o.parts[best]++
	}
}

// dispatch is what the admission of templates goes by.
func (o opening) dispatch(into *v1alpha1.Dispatch) {
	into.Open, into.Updated = nil, nil
	if o.all {
		into.Open = []string{v1alpha1.OpenAll}
		return
	}
	for name := range o.whole {
		into.Open = append(into.Open, name)
	}
	for name, n := range o.parts {
		if into.Updated == nil {
			into.Updated = map[string]int32{}
		}
		into.Open = append(into.Open, name)
		into.Updated[name] = int32(n)
	}
	slices.Sort(into.Open)
}

func (o opening) isOpen(name string) bool { return o.whole[name] || o.parts[name] > 0 }
