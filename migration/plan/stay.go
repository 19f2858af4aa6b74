package plan

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// drift says where a federated application is not what the control plane holds, by what Karmada observed: a Work that its cluster refuses,
// that somebody suspended, or that is being deleted while its template stands. What an owner edits in a member Karmada undoes by itself;
// these it does not.
func (j *journey) drift() string {
	var found []string
	for _, resource := range j.federated() {
		if j.givenUp(resource) || len(resource.Users) > 1 {
			continue
		}
		for _, cluster := range sortedKeys(j.Clusters) {
			work, exists := j.Clusters[cluster].Works[resource.ResourceReference]
			at := policy.User(resource.ResourceReference) + " in cluster " + cluster
			switch {
			case !exists:
			case work.Deleting:
				found = append(found, at+" has a Work that is being deleted")
			case work.Suspended:
				found = append(found, at+" is not written any more: its Work is suspended")
			case work.Refused != "":
				found = append(found, at+" is not what the control plane holds: "+work.Refused)
			}
		}
	}
	return strings.Join(found, "; ")
}

// synced records whether members hold what the control plane does, and tells of the first that does not.
func (j *journey) synced() (drifted string) {
	drifted = j.drift()
	if drifted == "" {
		j.condition(v1alpha1.ConditionSynced, metav1.ConditionTrue, v1alpha1.ReasonSynced,
			"Karmada reports no object of the application that its clusters refuse")
		return ""
	}
	j.condition(v1alpha1.ConditionSynced, metav1.ConditionFalse, v1alpha1.ReasonDrifted, drifted)
	return drifted
}

// defaultTTL of the record of an application that left: long enough to be asked about, and no longer than audit logs usually are kept.
const defaultTTL = 30 * 24 * time.Hour

// expire has the record of an application that left deleted once its time is over. One that a person rolled back stays: what the record
// says of that wins over lists, and a new record would not.
func (j *journey) expire() {
	if j.Spec.Rollback != nil || j.Entry != nil {
		return
	}
	ttl := defaultTTL
	if seconds := j.Spec.TTLSecondsAfterLeft; seconds != nil {
		ttl = time.Duration(ptr.Deref(seconds, 0)) * time.Second
	}
	since, known := j.leftSince()
	if !known {
		return
	}
	left := ttl - j.Now.Sub(since)
	if left > 0 {
		j.decision.Requeue = min(j.decision.Requeue, left)
		return
	}
	if len(j.decision.Actions) > 0 {
		j.decision.Requeue = soon // the namespace is let go of first
		return
	}
	j.act(Action{Verb: Delete, Ref: recordRef(j.Owner)})
}

// leftSince is when the application left, by its history.
func (j *journey) leftSince() (time.Time, bool) {
	for i := len(j.next.History) - 1; i >= 0; i-- {
		if entry := j.next.History[i]; entry.Phase == v1alpha1.PhaseLeft && entry.Reason == v1alpha1.ReasonLeft {
			return entry.Time.Time, true
		}
	}
	return time.Time{}, false
}

func recordRef(owner string) Ref {
	return Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Migration", Name: owner}
}

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

// home lets go of the namespace before the application is said to have left: whoever deletes the record then leaves no protection behind.
func (j *journey) home() outcome {
	if j.unprotectHome(); len(j.decision.Actions) > 0 {
		return j.written(fmt.Sprintf("the end of the protection of namespace %s", j.Namespace))
	}
	return proceed
}
