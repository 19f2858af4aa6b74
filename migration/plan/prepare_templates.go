package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// templates are full updates from what the members hold now. The content hash says from which state a
// template was written; what API servers fill in beside it does not count.
func (j *journey) templates() outcome {
	var wrote []string
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		want := resource.Template.DeepCopy()
		annotations := want.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.AnnotationContentHash] = contentHash(resource.Template)
		if j.Entry == nil {
			annotations[v1alpha1.AnnotationGuarded] = j.Owner
			if len(resource.Users) < 2 {
				annotations[v1alpha1.AnnotationClosed] = j.Owner
			}
		}
		want.SetAnnotations(annotations)
		existing := j.Control.Templates[resource.ResourceReference]
		outdated := existing == nil ||
			existing.GetAnnotations()[v1alpha1.AnnotationContentHash] != annotations[v1alpha1.AnnotationContentHash] ||
			existing.GetAnnotations()[v1alpha1.AnnotationCutOff] != "" ||
			existing.GetAnnotations()[v1alpha1.AnnotationClosed] != annotations[v1alpha1.AnnotationClosed] ||
			existing.GetAnnotations()[v1alpha1.AnnotationGuarded] != annotations[v1alpha1.AnnotationGuarded]
		altered := ""
		if !outdated {
			at, same := policy.Contains(existing.Object, want.Object)
			if same {
				continue
			}
			altered = at
		}
		merged := policy.Merge(existing, want)
		policy.Own(merged, resource.Ownership)
		j.act(Action{Verb: WriteTemplate, Ref: resource.ResourceReference, Object: merged})
		if altered != "" {
			return j.block(v1alpha1.ReasonTemplateNotKept, "%s in the control plane differs from the members at %s: "+
				"it was edited there and is being rewritten, or karmada-apiserver is older than the member and drops the field "+
				"(then upgrade it)",
				policy.User(resource.ResourceReference), policy.Human(altered))
		}
		wrote = append(wrote, policy.User(resource.ResourceReference))
	}
	if len(wrote) > 0 {
		return j.written("templates " + strings.Join(wrote, ", "))
	}
	return proceed
}

func contentHash(template *unstructured.Unstructured) string {
	raw, err := json.Marshal(template.Object)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}
