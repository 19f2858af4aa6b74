package oracle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Path is how an answer was found.
type Path string

// The paths. The first three are fit.Shape's closed forms.
const (
	PathNodeLocal Path = "nodeLocal"
	PathSpread    Path = "spread"
	PathSeparate  Path = "separate"
	// PathPlaced: copies placed one by one.
	PathPlaced Path = "placed"
	// PathGated: the pod would not be tried at all.
	PathGated Path = "gated"
)

// Doubt is what an answer stands on where that may be wrong.
type Doubt string

// The doubts. The first comes from the oracle, the others from who asks it.
const (
	// ForeignScheduler: the pod names a scheduler that the configuration does not have. The first profile stood in for it; another scheduler
	// may have more rules, so the count is at most.
	ForeignScheduler Doubt = "foreignScheduler"
	// WithoutTemplate: the pod is made of what the request says, or of a live pod.
	WithoutTemplate Doubt = "withoutTemplate"
	// LastTemplate: the template could not be read now. The one that was read last stands in: no binding names a newer version.
	LastTemplate Doubt = "lastTemplate"
	// OlderPods: what the member adds to the workload's pods is known from pods of an older template only.
	OlderPods Doubt = "olderPods"
)

// Reservation is room that others take first: Count pods like Pod.
type Reservation struct {
	Pod   *corev1.Pod
	Count int
	// Who it is for, for logs and explanations.
	For string
}

// Question is one pod, as the member's API server would admit it, and who comes before it.
type Question struct {
	Pod *corev1.Pod
	// Each, if set, makes the i-th copy where copies differ in more than their name, with the claims that come with it (a StatefulSet's).
	Each func(i int) (*corev1.Pod, []*corev1.PersistentVolumeClaim)
	// Ahead is room promised to others whose pods are not there yet. Pending pods of the member come on their own.
	Ahead []Reservation
	// Most bounds the answer, 0 for no bound: a quota allows no more.
	Most int64
	// Budget bounds the time spent placing copies.
	Budget time.Duration
	// Explain asks for Answer.Nodes and Answer.Limits.
	Explain bool
	// Judge places copies one by one whatever closed form there is: the tests' way to hold one engine against the other.
	Judge bool
}

// Answer is how many copies fit.
type Answer struct {
	// Count is a proven lower bound, and the exact figure where Exact is set.
	Count int64
	// Exact: any order of placement ends at Count. Otherwise Count is the least of several runs, or what could be shown before time was up.
	Exact bool
	// Width is the difference between the best and the worst run of the scheduler.
	Width int64
	// TimedOut: the budget ended the search; more may fit. With a Count of 0 nothing at all is known.
	TimedOut bool
	Path     Path
	// Why the path had to be PathPlaced, or why nothing fits at all.
	Why string
	// Computed is how many nodes had to be asked, the others being remembered.
	Computed int
	// Doubt, if set, is why Count may not be what the member would place.
	Doubt Doubt
	// Limits counts, by plugin, the nodes that take no further copy because of it.
	Limits map[string]int
	// Nodes is where the copies stand, and what stops the next one.
	Nodes []NodeFit
}

// Known tells a number from the lack of one.
func (a Answer) Known() bool { return a.Count > 0 || !a.TimedOut }

// NodeFit is one node's part in an answer.
type NodeFit struct {
	Node   string
	Copies int64
	// Stopped is the plugin that refuses the next copy.
	Stopped string
}
