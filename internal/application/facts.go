package application

import (
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Facts are everything known of one application at one moment.
type Facts struct {
	Now      time.Time
	Template *unstructured.Unstructured
	// Binding is nil where Karmada made none.
	Binding *Binding
	// Clusters are those of the binding, of its Works and of what it is being evicted from.
	Clusters map[string]Cluster
	// About are the objects of Argosy that name it.
	About []About
	// Said is what rescheduling said of it last; nil for nothing.
	Said *Said
}

// Binding is a ResourceBinding or a ClusterResourceBinding.
type Binding struct {
	metav1.ObjectMeta
	Kind   string
	Spec   workv1alpha2.ResourceBindingSpec
	Status workv1alpha2.ResourceBindingStatus
}

// of says whether the binding is the template's: a binding's name holds the kind and not its group.
func (b *Binding) of(template *unstructured.Unstructured) bool {
	kind := schema.FromAPIVersionAndKind(b.Spec.Resource.APIVersion, b.Spec.Resource.Kind)
	return kind.GroupKind() == template.GroupVersionKind().GroupKind()
}

// targets are the clusters it sends its object to: its own, and those of what depends on it.
func (b *Binding) targets() []string {
	var out []string
	for _, target := range b.Spec.Clusters {
		out = append(out, target.Name)
	}
	for _, by := range b.Spec.RequiredBy {
		for _, target := range by.Clusters {
			out = append(out, target.Name)
		}
	}
	return out
}

// Cluster is one member, and what of the application is there.
type Cluster struct {
	// Joined is nil for a name without a Cluster.
	Joined *clusterv1alpha1.Cluster
	Work   *workv1alpha1.Work
	// Silence is why the member was not read; empty when it was.
	Silence string
	// Object is nil where the member has none, or was not read.
	Object *unstructured.Unstructured
	Pods   []corev1.Pod
	// Limits of the autoscaler the member has for it.
	Limits *Limits
}

// Limits of an autoscaler.
type Limits struct {
	Name string `json:"name"`
	Min  int32  `json:"min"`
	Max  int32  `json:"max"`
}

// About is an object of Argosy that names the application.
type About struct {
	Kind, Name string
	// Phase is empty for kinds without one.
	Phase      string
	Conditions []metav1.Condition
}
