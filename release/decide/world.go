package decide

import (
	"time"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// World is everything a decision goes by.
type World struct {
	Now     time.Time
	Release *v1alpha1.Release
	// Template is nil where the target does not exist.
	Template *Template
	// Unfit is why changes of the target cannot be held, with its reason; empty when they can.
	UnfitReason, Unfit string
	// Migrating is the phase of a Migration that moves the application.
	Migrating string
	// Clusters of the binding, by name.
	Clusters []Cluster
	// Overrides are the policies that select the application, where they act at once; nil where they are held, or were not read.
	Overrides *Overrides
	// Gates are the answers of the Prometheus queries of the stage that was open when they were asked; nil when none was to be asked.
	Gates *Gates
}

// Gates are what the queries of a stage answered.
type Gates struct {
	Stage string
	// Unwell says which query is not at zero, Unanswered which could not be asked; empty for none.
	Unwell, Unanswered string
}

// Overrides of an application.
type Overrides struct {
	// Hash of all of them: another one is a change.
	Hash string
	// Names in words: OverridePolicy registry.
	Names []string
}

// Template of the application.
type Template struct {
	Revision string
	// Contents by object, where the revision names more than the target.
	Contents map[string]string
	// Marked: it bears the marks of this Release, so that whoever writes it meets the admission.
	Marked bool
	// Bound: its marks, or those of what goes out with it, say of some cluster that it is held. They are not taken off like that.
	Bound  bool
	Images []string
	// Bytes of what is recorded of the revision; zero where it is in the history.
	Bytes int64
	// Before is what a Release of this name left held, which is gone; nil for nothing, and where this Release has looked already.
	Before *Before
}

// Before is what a template's marks hold for a Release that was made anew.
type Before struct {
	// Stable revision of the marks, and those they call rejected.
	Stable   string
	Rejected []string
	// Record of the stable revision; nil where the history has none.
	Record *v1alpha1.Revision
	// History of what is recorded, the oldest first.
	History []v1alpha1.Revision
}

// Cluster the application is in.
type Cluster struct {
	Name   string
	Labels map[string]string
	// Replicas assigned by the scheduler; what the member wants for kinds that count nodes.
	Replicas int64
	// Unreachable is why Karmada does not reach it.
	Unreachable string
	// Work is nil where there is none.
	Work *Work
	// With are the objects that go out with the target.
	With []With
}

// With is an object that goes out with the target, in one cluster.
type With struct {
	// Object in words: ConfigMap web.
	Object string
	// Work is nil where there is none.
	Work *Work
}

// Work of a cluster, and what the member reported of it.
type Work struct {
	// Revision it bears, and how many replicas may have it.
	Revision  string
	Share     *int64
	Suspended bool
	// Bound: its marks do not say that everything is open and stable, so that the policy argosy-release-works may refuse it without them.
	Bound bool
	// Refused is what the member's API server said to the last write of it, Unanswered what became of one that got no answer.
	Refused, Unanswered string
	// Taken: the last write that got an answer was taken. Of what members report nothing of nobody knows more.
	Taken bool
	// Observed is true when the member reported on this manifest, not on one before it.
	Observed bool
	// Ran: the member's controller has seen the object, in whatever revision. Before that a number of replicas is opened in none of it.
	Ran bool
	// Untold: the report does not say of which revision it is, and only that would tell it from one before.
	Untold bool
	// Desired, Updated and Ready as reported.
	Desired, Updated, Ready int64
	// Old is how many replicas a Deployment has beside those that are updated. While one that is to be replaced serves it counts as ready,
	// though no new one may ever come up.
	Old     int64
	Healthy bool
	// Unjudged: Karmada had nobody to say whether it is healthy.
	Unjudged bool
}

// Event for people.
type Event struct {
	Warning         bool
	Reason, Message string
}

// Decision is what is done, in this order: record, write the status, write the template's marks, let the Release go.
type Decision struct {
	// Record is true when the template's revision must be in the history first.
	Record bool
	Status v1alpha1.ReleaseStatus
	Events []Event
	// Free takes the marks off the template and the finalizer off the Release.
	Free bool
	// After is when to look again; zero for no sooner than something changes.
	After time.Duration
}
