package plan

import (
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// protect the namespace before there is anything in it that its deletion would take along.
func (j *journey) protect() outcome {
	if j.Home.Protected {
		return proceed
	}
	j.act(Action{
		Verb: Mark, Ref: namespaceRef(j.Namespace), Seen: j.Home.Version,
		Labels:      map[string]*string{workv1alpha2.DeletionProtectionLabelKey: ptr.To(workv1alpha2.DeletionProtectionAlways)},
		Annotations: map[string]*string{v1alpha1.AnnotationProtected: ptr.To("true")},
	})
	return j.written("the protection of namespace " + j.Namespace)
}

// unprotectHome once nothing of any application is in it; what its owners protected themselves stays so.
func (j *journey) unprotectHome() {
	for _, neighbour := range j.Neighbours {
		if !neighbour.Gone {
			return
		}
	}
	if j.Home.Ours {
		j.act(Action{
			Verb: Mark, Ref: namespaceRef(j.Namespace), Seen: j.Home.Version,
			Labels:      map[string]*string{workv1alpha2.DeletionProtectionLabelKey: nil},
			Annotations: map[string]*string{v1alpha1.AnnotationProtected: nil},
		})
	}
}
