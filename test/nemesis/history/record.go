package history

import (
	"slices"
	"strings"
	"time"
)

// Op is what a record says.
type Op string

// The three things a record can say.
const (
	Put    Op = "put"
	Delete Op = "delete"
	Noted  Op = "note"
)

// The resources that are kept. Those of a group have it before the slash, as in etcd.
const (
	Deployments   = "deployments"
	Pods          = "pods"
	HPAs          = "horizontalpodautoscalers"
	Events        = "events"
	CloneSets     = "apps.kruise.io/clonesets"
	StatefulSets  = "apps.kruise.io/statefulsets"
	Works         = "work.karmada.io/works"
	Bindings      = "work.karmada.io/resourcebindings"
	Policies      = "policy.karmada.io/propagationpolicies"
	Clusters      = "cluster.karmada.io/clusters"
	FedHPAs       = "autoscaling.argosy.dev/fedhpas"
	CronHPAs      = "autoscaling.argosy.dev/cronhpas"
	PodScaleIns   = "apps.argosy.dev/podscaleins"
	Migrations    = "migration.argosy.dev/migrations"
	Whitelists    = "migration.argosy.dev/migrationwhitelists"
	Releases      = "release.argosy.dev/releases"
	ControlPlane  = "karmada"
	notesPrefix   = "/nemesis/notes/"
	aggregatedAPI = "karmada-aggregated"
)

// Key is one object of one plane.
type Key struct {
	Plane     string `json:"plane"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

func (k Key) String() string {
	if k.Namespace == "" {
		return k.Plane + " " + k.Resource + " " + k.Name
	}
	return k.Plane + " " + k.Resource + " " + k.Namespace + "/" + k.Name
}

// Record is one change of one object, or a note.
type Record struct {
	// Revision is etcd's: it orders all planes' changes. Those of one transaction, and what was there at the beginning, share one.
	Revision int64 `json:"revision"`
	// At is when the watch saw it: never before it happened.
	At  time.Time `json:"at"`
	Op  Op        `json:"op"`
	Key `json:"key"`
	// Object is what was written, trimmed to what checkers ask for; nil of a deletion.
	Object Object `json:"object,omitempty"`
	// Who wrote it, as an API server knows the user, and Agent as the program called itself; empty where no audit log says so.
	Who   string `json:"who,omitempty"`
	Agent string `json:"agent,omitempty"`
	// Note is set of a note.
	Note *Note `json:"note,omitempty"`
}

// NoteKind says what a note is about.
type NoteKind string

// The kinds of notes.
const (
	// Intent is what an owner wants from now on: Value replicas of the Subject, a template; Name is how he uses the application.
	Intent NoteKind = "intent"
	// Operation is a request of a user, and what came of it: Text is the error, Value the milliseconds.
	Operation NoteKind = "operation"
	// Trespass is the name of an operation that was accepted from somebody who has no right to it.
	Trespass = "trespass"
	// Fault is a nemesis that begins or ends.
	Fault NoteKind = "fault"
	// Phase of the run begins: Name is one of the Phase constants. Text is a doubt: the machine was too busy for what should be so by now.
	Phase NoteKind = "phase"
	// Pressure is how long processes wait for a CPU, in percent of ten seconds, and Value whether the machine stood still for so many
	// milliseconds.
	Pressure NoteKind = "pressure"
)

// Phases of a run, in their order.
const (
	PhaseStart = "start" // applications are made
	PhaseLoad  = "load"  // users work, nemeses act
	PhaseCalm  = "calm"  // no nemesis acts any more, and users have stopped
	PhaseRest  = "rest"  // all was given its time: what is seen now stays
	PhaseGone  = "gone"  // applications were deleted, and had their time to go
)

// Note is what the run itself did.
type Note struct {
	Kind NoteKind `json:"kind"`
	// Name of a nemesis, an operation or a phase.
	Name string `json:"name"`
	// Target is what it is about: a process, a member, an application's name.
	Target string `json:"target,omitempty"`
	// Subject is the object that a user's intent or a hand's edit is about.
	Subject *Key `json:"subject,omitempty"`
	// Ends: a fault that ends.
	Ends bool `json:"ends,omitempty"`
	// Value and Text are what the kind says.
	Value int64  `json:"value,omitempty"`
	Text  string `json:"text,omitempty"`
	// List is what more belongs to it, such as pods by name.
	List []string `json:"list,omitempty"`
}

// History is what happened, in order.
type History struct {
	Records []Record `json:"records"`
}

// World is what is there after some part of a history.
type World map[Key]Object

// Replay tells each record with the world before it, and the object that it replaces.
func (h History) Replay(visit func(world World, before Object, r Record)) World {
	world := World{}
	for _, r := range h.Records {
		before := world[r.Key]
		visit(world, before, r)
		switch r.Op {
		case Put:
			world[r.Key] = r.Object
		case Delete:
			delete(world, r.Key)
		}
	}
	return world
}

// Within is what of it happened in some namespaces.
func (h History) Within(namespaces ...string) History {
	var out History
	for _, r := range h.Records {
		if slices.Contains(namespaces, r.Namespace) {
			out.Records = append(out.Records, r)
		}
	}
	return out
}

// End is when the last record was seen.
func (h History) End() time.Time {
	if len(h.Records) == 0 {
		return time.Time{}
	}
	return h.Records[len(h.Records)-1].At
}

// ResourceOf names the resource of a kind that applications use.
func ResourceOf(apiVersion, kind string) string {
	resource := strings.ToLower(kind) + "s"
	if group, _, ok := strings.Cut(apiVersion, "/"); ok && strings.Contains(group, ".") {
		return group + "/" + resource
	}
	return resource
}
