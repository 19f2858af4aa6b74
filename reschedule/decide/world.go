package decide

import "time"

// World is what is known of one binding at one moment.
type World struct {
	Now      time.Time
	Settings Settings
	Binding  Binding
	// Clusters of the binding, in its order.
	Clusters []Cluster
	// Memory of the last move; the zero value is none.
	Memory Memory
	// Full is how many looks in a row, before this one, found no room; and Turns how many looks it takes to ask every cluster once, of which
	// there may be hundreds. An estimator that has no time to read a template answers carefully, and the wire has only a number: a cluster is
	// full when it was asked twice.
	Full, Turns int32
}

// Settings of the controller.
type Settings struct {
	// Unschedulable is how long a pod must have been refused by its scheduler before its replica moves.
	Unschedulable time.Duration
	// Autoscaler is how long a pod is left alone that an autoscaler of nodes said it answers.
	Autoscaler time.Duration
	// CoolDown lies between the first move of a binding and its second, and doubles with each further one, up to CoolDownMost.
	CoolDown, CoolDownMost time.Duration
	// ComeUp is how long the pods of a move have to get a node.
	ComeUp time.Duration
	// MovesPerMinute is how many replicas, of all bindings, leave or enter a cluster in any minute.
	MovesPerMinute int32
	// Deaf: no estimator is asked, by configuration.
	Deaf bool
}

// unheard says why a cluster's room is not known.
func (s Settings) unheard() string {
	if s.Deaf {
		return "no estimator is asked (controllers.fedHPA.estimators.mode is Disabled; in the chart see controllerManager.asksEstimator)"
	}
	return "its estimator does not say how many fit"
}

// Binding is the ResourceBinding, and who else has a say in its replicas.
type Binding struct {
	Replicas int32
	// Divided over clusters; otherwise each cluster has them all.
	Divided bool
	// StaticWeights: any scheduler run divides by them anew.
	StaticWeights bool
	// Aggregated in as few clusters as possible, rather than by what is available.
	Aggregated bool
	// Settled: karmada-scheduler has seen the binding as it is and has nothing to do with it.
	Settled bool
	Alone   Alone
}

// Alone are reasons to leave a binding alone that are read and not judged. Texts are empty where the reason does not apply.
type Alone struct {
	// Descheduler is the holder of karmada-descheduler's Lease while that is fresh.
	Descheduler string
	// Disabled names the object with the annotation that opts out.
	Disabled string
	// Unread says what could not be read of it.
	Unread   string
	Deleting bool
	// Components is how many pod templates the workload has.
	Components int
	// Job is the kind, where its pods run to an end.
	Job string
	// Scheduler that does the binding, where it is not karmada-scheduler.
	Scheduler string
	// Suspended says what is suspended.
	Suspended string
	// Migration that has the workload in hand, or that it is cut off.
	Migration string
	// Owner of the replicas: a FedHPA, or the members by Karmada's retain-replicas label.
	Owner string
	// ScaleIn is a PodScaleIn at work.
	ScaleIn string
	// Release that has not ended.
	Release string
	// Fires is a CronHPA that fires within a minute.
	Fires string
	// Evicting are clusters being emptied.
	Evicting []string
}

// Cluster is one member of the binding.
type Cluster struct {
	Name     string
	Assigned int32
	// Out says why the cluster neither gives nor gets: not ready, leaving, dispatching suspended, not read. Empty when it may.
	Out string
	// Closed says why it gets nothing: taints, affinity. Empty when it may.
	Closed string
	// Tier is 0 for the first group of clusters, then that of each overflow in its order.
	Tier int
	// Unasked: it lacks nothing by what it reports, or no pod of it waits for a node, so that its workload was not read, nor its estimator
	// asked, before somebody wants room.
	Unasked bool
	// Unread: its estimator was asked since, and has no room, so that its workload was not read still.
	Unread bool
	// Workload is nil where the member has none yet, or was not read.
	Workload *Workload
	// Room is how many more replicas fit; nil is unknown.
	Room *int32
	// Promised is what others were given here lately.
	Promised int32
	// Recent is how many replicas left or entered it within a minute, of all bindings.
	Recent int32
}

// Workload is the member's object.
type Workload struct {
	Replicas int32
	// Amid says in what change it stands: a rollout, a pause, a partition. Empty when all its pods are of one revision.
	Amid string
	// Ordinal: pods have numbers, and the highest goes first.
	Ordinal bool
	// Whole: it says that it has all its pods, and all are ready, so that they were not read.
	Whole bool
	// Pods that have not ended.
	Pods []Pod
}

// Pod of a workload.
type Pod struct {
	Name        string
	Ordinal     int
	Scheduled   bool
	Terminating bool
	// Refused is since when its scheduler finds no node; zero where it does not say so.
	Refused time.Time
	Why     string
	// Volume is a claim of its own that is bound already.
	Volume string
	// Answered is when an autoscaler of nodes last said that it answers.
	Answered time.Time
}

// Transfer is a number of replicas that go from one cluster to another.
type Transfer struct {
	From, To string
	Replicas int32
}

// Memory is what the binding keeps of the last move.
type Memory struct {
	At       time.Time
	CoolDown time.Duration
	Moved    []Transfer
	// Back: it put a move back that did not come up.
	Back bool
}

// Target is what a cluster is assigned.
type Target struct {
	Cluster  string
	Replicas int32
}
