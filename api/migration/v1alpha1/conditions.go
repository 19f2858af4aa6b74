package v1alpha1

// Condition types of a Migration.
const (
	// ConditionAdvancing is False while the application waits or is blocked; its reason says why.
	ConditionAdvancing = "Advancing"
	// ConditionFenced is True when every Work of the application is known to be as the step needs it.
	ConditionFenced = "Fenced"
	// ConditionPlanned is True when dry runs in all members proved that nothing harmful would change.
	ConditionPlanned = "Planned"
	// ConditionApproved is True when enough people approved the plan as it stands.
	ConditionApproved = "Approved"
	// ConditionUnchanged is True while specs, revisions, pods and restart counts are as they were before.
	ConditionUnchanged = "Unchanged"
	// ConditionFederated is True when the application is managed by the federation in every cluster.
	ConditionFederated = "Federated"
	// ConditionSynced of a federated application is False where Karmada reports that a member does not hold what the control plane does.
	ConditionSynced = "Synced"
)

// ConditionProgressing of a MigrationWhitelist is False when nothing can start; its reason says why.
const ConditionProgressing = "Progressing"

// Reasons of conditions, failures and events. Event reason and condition reason are the same word.
const (
	// Waiting for its turn: somebody or the calendar will free it.
	ReasonBatchPending      = "BatchPending"      // an earlier batch or environment is not done
	ReasonBatchStopped      = "BatchStopped"      // an application of this batch failed; a person must act
	ReasonTriggerPending    = "TriggerPending"    // trigger OnRelease and no release yet
	ReasonPaused            = "Paused"            // the whitelist's mode is Pause
	ReasonFrozen            = "Frozen"            // a freeze window is open
	ReasonAwaitingApproval  = "AwaitingApproval"  // not enough approvals of this plan
	ReasonRejected          = "Rejected"          // somebody rejected this plan
	ReasonAwaitingKarmada   = "AwaitingKarmada"   // Karmada has not carried out the last write yet
	ReasonSoaking           = "Soaking"           // the soak is running
	ReasonFailedBefore      = "FailedBefore"      // the last attempt failed; raise spec.attempt
	ReasonConflictingOwners = "ConflictingOwners" // two whitelists list the application

	// Blocked by what was found; the message says what to do.
	ReasonClusterUnknown     = "ClusterUnknown"     // a cluster is not joined
	ReasonClusterUnreachable = "ClusterUnreachable" // a cluster does not answer; nothing is known about it
	ReasonClusterNotReady    = "ClusterNotReady"    // Karmada counts a cluster as not Ready
	ReasonAPIMissing         = "APIMissing"         // a kind is missing in a member or in the control plane
	ReasonWorkloadMissing    = "WorkloadMissing"    // the workload is not in a cluster it must be in
	ReasonNoReplicas         = "NoReplicas"         // the workload has 0 replicas in a cluster
	ReasonRolloutRunning     = "RolloutRunning"     // a rollout is under way or half finished
	ReasonAlreadyManaged     = "AlreadyManaged"     // another policy or control plane manages an object
	ReasonImagesDiffer       = "ImagesDiffer"       // clusters run different images
	ReasonKindUnsupported    = "KindUnsupported"    // the workload's kind cannot be divided
	ReasonWriteRefused       = "WriteRefused"       // the control plane refused a template or policy
	ReasonUnreadable         = "Unreadable"         // the control plane does not let one of the application's objects be read
	ReasonFailing            = "Failing"            // every pass of the last minute failed
	ReasonTemplateNotKept    = "TemplateNotKept"    // the control plane holds another template than was written
	ReasonPolicyLost         = "PolicyLost"         // a policy was deleted or taken from us by hand
	ReasonClusterDropped     = "ClusterDropped"     // a cluster Karmada holds a Work for would drop out
	ReasonPlanHarmful        = "PlanHarmful"        // a dry run showed a change, or was refused
	ReasonUnproved           = "Unproved"           // what a write would change is not known: its dry run had no answer
	ReasonTooLarge           = "TooLarge"           // no record of it fits into the control plane

	// Failures after a cluster was opened.
	ReasonEvidenceChanged = "EvidenceChanged" // pods, revision or spec are not what they were
	ReasonUnhealthy       = "Unhealthy"       // a health gate does not hold
	ReasonStepTimedOut    = "StepTimedOut"    // an opened cluster did not take over in time

	// Noted, and no failure.
	ReasonApprovalWithdrawn  = "ApprovalWithdrawn"  // somebody took back an approval of the plan that waits
	ReasonRejectionWithdrawn = "RejectionWithdrawn" // somebody took back a rejection of the plan that waits
	ReasonPodsReplaced       = "PodsReplaced"       // pods went, and others of the same revision took their place
	ReasonPruned             = "Pruned"             // a release gave an object up, and it is gone from every cluster

	// Good news.
	ReasonFenced     = "Fenced"
	ReasonPlanEmpty  = "PlanEmpty"
	ReasonApproved   = "Approved"
	ReasonOpened     = "Opened"
	ReasonTakenOver  = "TakenOver"
	ReasonFederated  = "Federated"
	ReasonCuttingOff = "CuttingOff"
	ReasonCutOff     = "CutOff"
	ReasonLeaving    = "Leaving"
	ReasonLeft       = "Left"
	ReasonRolledBack = "RolledBack"
	ReasonAdvancing  = "Advancing"
	ReasonUnchanged  = "Unchanged"
	ReasonSynced     = "Synced"
	ReasonAllDone    = "AllDone"

	// Federated, and something to look at.
	ReasonUnmanagedPods = "UnmanagedPods" // pods run on in a cluster the workload was scheduled away from
	ReasonDrifted       = "Drifted"       // a member does not hold what the control plane does, and Karmada cannot change that
)

// Labels and annotations of this group.
const (
	// AnnotationCutOff marks templates and policies of an application that is cut off, or being so. While it
	// stands, admission refuses their deletion and the interpreter leaves replicas alone.
	AnnotationCutOff = "migration.argosy.dev/cut-off"
	// AnnotationGuarded stands for AnnotationCutOff on templates while their leave plan is proved: admission refuses
	// their deletion just so, and the interpreter divides replicas again, as the plan needs it.
	AnnotationGuarded = "migration.argosy.dev/guarded"
	// AnnotationLeaving replaces AnnotationCutOff on objects an approved leave plan removes.
	AnnotationLeaving = "migration.argosy.dev/leaving"
	// AnnotationClosed on the template of an object that only one application uses, and so on its Works' manifests, says that the
	// application is cut off: the API server itself lets no such Work be dispatched or deleted.
	AnnotationClosed = "migration.argosy.dev/closed"
	// AnnotationHeld on a ResourceBinding lists the clusters that stay in it, whoever would take one out: some of them are closed.
	AnnotationHeld = "migration.argosy.dev/held"
	// AnnotationReferrers of a shared object's policy lists the workloads that use it, as kind/name, comma separated.
	AnnotationReferrers = "migration.argosy.dev/referrers"
	// AnnotationContentHash of a template names the members' state it was last written from.
	AnnotationContentHash = "migration.argosy.dev/content-hash"
	// AnnotationTouched is put on a template and taken off again when Karmada did not see all of it: any change makes it look once more.
	AnnotationTouched = "migration.argosy.dev/touched"
	// AnnotationPruned on the policy of a federated application's object says that a release gave the object up ('argosyctl publish
	// --prune'): the controller takes it out of the control plane, and Karmada deletes it from the members.
	AnnotationPruned = "migration.argosy.dev/pruned"
	// AnnotationProtected on a namespace says that it was protected from deletion by us, and is let go of by us.
	AnnotationProtected = "migration.argosy.dev/protected"
	// LabelManagedBy on templates, policies and overrides names the Migration that made them.
	LabelManagedBy = "migration.argosy.dev/managed-by"
	// FieldManager is the name under which the controller writes.
	FieldManager = "argosy-migration"
)
