package plan

import (
	"strings"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// unmark takes everything of ours off the templates, so that it goes from the members as well: Karmada takes metadata that it brought off
// an object when the manifest has it no longer, and writes the manifest once more when it lets go. What has replicas kept stays: without it
// Karmada would write the replicas of its manifest, and an autoscaler may have chosen others meanwhile.
func (j *journey) unmark() outcome {
	for _, resource := range j.own() {
		template := j.Control.Templates[resource.ResourceReference]
		if template == nil {
			continue
		}
		annotations, labels := map[string]*string{}, map[string]*string{}
		for key := range template.GetAnnotations() {
			if ourMark(key) {
				annotations[key] = nil
			}
		}
		for key := range template.GetLabels() {
			if ourMark(key) {
				labels[key] = nil
			}
		}
		if len(annotations)+len(labels) > 0 {
			j.act(Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: annotations, Labels: labels})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("templates without our marks")
	}
	return proceed
}

// ourMark says whether a label or annotation is one of this project's migrations.
func ourMark(key string) bool { return strings.HasPrefix(key, v1alpha1.GroupVersion.Group+"/") }

// stillMarked names a mark of ours that a Work's manifest has yet.
func stillMarked(work Work) string {
	if work.Manifest == nil {
		return ""
	}
	for _, marks := range []map[string]string{work.Manifest.GetAnnotations(), work.Manifest.GetLabels()} {
		for key := range marks {
			if ourMark(key) {
				return key
			}
		}
	}
	return ""
}
