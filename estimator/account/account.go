package account

// Doubts that a reader is told of in words of their own; others make the number one of at least so many.
const (
	ForeignScheduler = "foreignScheduler"
	OlderPods        = "olderPods"
)

// Workload is the answer for one workload: what `argosy-estimator fit` writes, in a list, as JSON.
type Workload struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace"`
	Name       string   `json:"name"`
	Members    []Member `json:"members"`
}

// Member is one member's part. With Error nothing is known of it.
type Member struct {
	Cluster string `json:"cluster"`
	// Fits is how many replicas fit; at least so many unless Exact, or as Doubt says.
	Fits  *int64 `json:"fits,omitempty"`
	Exact bool   `json:"exact"`
	Doubt string `json:"doubt,omitempty"`
	// TimedOut: time was up before the scheduler refused a replica.
	TimedOut bool `json:"timedOut,omitempty"`
	// LimitedBy counts nodes by the plugin that refuses the next replica there; 0 nodes where the pod is refused as a whole.
	LimitedBy map[string]int `json:"limitedBy,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Nodes     []Node         `json:"nodes,omitempty"`
	Error     string         `json:"error,omitempty"`
}

// Node is how many of the replicas it takes, and the plugin that refuses the next there.
type Node struct {
	Node      string `json:"node"`
	Takes     int64  `json:"takes"`
	LimitedBy string `json:"limitedBy,omitempty"`
}
