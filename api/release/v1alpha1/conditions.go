package v1alpha1

// Condition types of a Release.
const (
	// ConditionAdopted is True while changes of the template are held until a stage opens them. False says why nothing is held.
	ConditionAdopted = "Adopted"
	// ConditionComplete is True when every cluster was seen with the template's revision.
	ConditionComplete = "Complete"
	// ConditionProgressing is True while the release moves or waits for what comes by itself; its reason says for what.
	ConditionProgressing = "Progressing"
	// ConditionAwaitingApproval is True while people must approve the stage.
	ConditionAwaitingApproval = "AwaitingApproval"
	// ConditionStalled is True when the stage did not get done in time, or cannot; the message names what does not answer.
	ConditionStalled = "Stalled"
	// ConditionRolledBack is True when the template's revision was rejected and every cluster was seen without it; Unknown while some was not.
	ConditionRolledBack = "RolledBack"
)

// Reasons of conditions and events. Event reason and condition reason are the same word.
const (
	ReasonAdopted            = "Adopted"            // changes are held from here on
	ReasonAdopting           = "Adopting"           // the template does not bear its marks yet: changes are not held
	ReasonTemplateMissing    = "TemplateMissing"    // the target does not exist
	ReasonKindNotStaged      = "KindNotStaged"      // this kind is not released in stages
	ReasonPartitionSet       = "PartitionSet"       // the template has a partition of its own
	ReasonMembersOwn         = "MembersOwn"         // stages open a number, and replicas or partition are the members' own
	ReasonTargetTaken        = "TargetTaken"        // another Release has the target, or an object of spec.with
	ReasonWithMissing        = "WithMissing"        // an object of spec.with does not exist
	ReasonRecordLost         = "RecordLost"         // clusters are held by a Release that is gone, and the history has not what they have
	ReasonMigrating          = "Migrating"          // a Migration moves the application: its changes are not held
	ReasonNewRevision        = "NewRevision"        // a change was seen, and is held
	ReasonOverridesPassed    = "OverridesPassed"    // override policies changed, and act at once
	ReasonStageOpened        = "StageOpened"        // clusters, or replicas, were opened
	ReasonStageDone          = "StageDone"          // everything of the stage is updated and well
	ReasonUpdating           = "Updating"           // clusters of the stage are not done
	ReasonSoaking            = "Soaking"            // the soak runs
	ReasonAwaitingApproval   = "AwaitingApproval"   // not enough approvals
	ReasonFrozen             = "Frozen"             // a freeze window is open
	ReasonAwaitingChecks     = "AwaitingChecks"     // checks of spec.stages.gates.checks have not passed yet
	ReasonCheckFailed        = "CheckFailed"        // a check failed
	ReasonGateUnwell         = "GateUnwell"         // a Prometheus query is not at zero
	ReasonGateUnanswered     = "GateUnanswered"     // a Prometheus query got no answer
	ReasonRevisionUnknown    = "RevisionUnknown"    // spec.rollbackTo names no revision of the history
	ReasonApproved           = "Approved"           // enough, or none are needed
	ReasonPaused             = "Paused"             // spec.mode is Pause
	ReasonDeadlineExceeded   = "DeadlineExceeded"   // the stage took longer than spec.progressDeadlineSeconds
	ReasonClusterUnreachable = "ClusterUnreachable" // Karmada does not reach a cluster of the stage
	ReasonStageEmpty         = "StageEmpty"         // the stage selects no cluster the application is in
	ReasonNowhere            = "Nowhere"            // the application is in no cluster: not scheduled yet, or scaled to nothing
	ReasonWorkSuspended      = "WorkSuspended"      // dispatching to a cluster of the stage is suspended
	ReasonWorkNotWritten     = "WorkNotWritten"     // Karmada has not written a Work: argosy-webhook is away, or an admission refuses
	ReasonHealthUnknown      = "HealthUnknown"      // nobody told Karmada whether what a member reports is healthy: argosy-webhook is away
	ReasonRejected           = "Rejected"           // the revision was rejected
	ReasonRolledBack         = "RolledBack"         // every cluster is back
	ReasonComplete           = "Complete"           // every cluster has the revision
	ReasonAsExpected         = "AsExpected"         // nothing is wrong
	ReasonHeld               = "Held"               // the Release is deleted and clusters are still held
	ReasonLetGo              = "LetGo"              // the Release is deleted and holds nothing any more
)
