package iaas

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/member/component/balance/httpbalance"
)

// Balancers are the system's load balancers: entries of a table, with addresses of a network that nobody has (198.51.100.0/24). No traffic
// goes through them.
type Balancers struct {
	// Clock says when they are there.
	Clock clock.PassiveClock
	// Boot is how long one takes to be active; none by default.
	Boot time.Duration

	mu      sync.Mutex
	entries map[string]*balancer
	made    int
}

// Balancer is one load balancer, as it was asked for last and as it is.
type Balancer struct {
	httpbalance.LoadBalancer
	Spec httpbalance.Spec `json:"spec"`
}

type balancer struct {
	Balancer
	activeAt time.Time
	removed  bool
	// sick: no target answers.
	sick bool
}

// knownSizes are those of the param size; another is refused for good.
var knownSizes = []string{"", "small", "large"}

func (b *Balancers) see(e *balancer) httpbalance.LoadBalancer {
	if e.State == httpbalance.Creating && !b.Clock.Now().Before(e.activeAt) {
		e.State, e.Addresses = httpbalance.Active, []httpbalance.Address{{IP: fmt.Sprintf("198.51.100.%d", number(e.ID))}}
	}
	healthy := int32(len(e.Spec.Targets))
	if e.sick {
		healthy = 0
	}
	out := e.LoadBalancer
	if out.State == httpbalance.Active {
		out.HealthyTargets = &healthy
	}
	return out
}

func number(id string) int {
	n := 0
	_, _ = fmt.Sscanf(id, "lb-%d", &n)
	return 1 + n%250
}

func (b *Balancers) ensure(key string, spec httpbalance.Spec) (httpbalance.LoadBalancer, *httpbalance.Problem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[string]*balancer{}
	}
	e := b.entries[key]
	switch size := spec.Params["size"]; {
	case e != nil && e.removed:
		return httpbalance.LoadBalancer{}, noBalancer(key)
	case !slices.Contains(knownSizes, size):
		return httpbalance.LoadBalancer{}, &httpbalance.Problem{Code: httpbalance.Invalid, Key: key,
			Message: fmt.Sprintf("size %q is none of small, large", size)}
	case spec.Owner == "" || spec.Name == "" || len(spec.Ports) == 0 || spec.Targets == nil:
		return httpbalance.LoadBalancer{}, &httpbalance.Problem{Code: httpbalance.Invalid, Key: key,
			Message: "owner, name, ports and targets are needed"}
	case e == nil:
		b.made++
		e = &balancer{activeAt: b.Clock.Now().Add(b.Boot)}
		e.Key, e.ID, e.State = key, fmt.Sprintf("lb-%d", b.made), httpbalance.Creating
		b.entries[key] = e
	}
	e.Spec = spec
	return b.see(e), nil
}

func noBalancer(key string) *httpbalance.Problem {
	return &httpbalance.Problem{Code: httpbalance.NotFound, Key: key, Message: "there is no load balancer of this key"}
}

func (b *Balancers) get(key string) (httpbalance.LoadBalancer, *httpbalance.Problem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[key]; e != nil && !e.removed {
		return b.see(e), nil
	}
	return httpbalance.LoadBalancer{}, noBalancer(key)
}

func (b *Balancers) remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[string]*balancer{}
	}
	if b.entries[key] == nil {
		b.entries[key] = &balancer{}
	}
	b.entries[key].removed = true
}

// List them, by name.
func (b *Balancers) List() []Balancer {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []Balancer{}
	for _, key := range slices.Sorted(maps.Keys(b.entries)) {
		if e := b.entries[key]; !e.removed {
			out = append(out, Balancer{LoadBalancer: b.see(e), Spec: e.Spec})
		}
	}
	slices.SortStableFunc(out, func(a, b Balancer) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	return out
}

// Made is how many were ever made.
func (b *Balancers) Made() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made
}

// Sicken has no target of a load balancer answer, or all again; false: there is none.
func (b *Balancers) Sicken(key string, sick bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[key]
	if e == nil || e.removed {
		return false
	}
	e.sick = sick
	return true
}

var balancerStatuses = map[httpbalance.Code]int{
	httpbalance.NotFound: http.StatusNotFound, httpbalance.Invalid: http.StatusUnprocessableEntity,
	httpbalance.Busy: http.StatusTooManyRequests,
}

// serve the contract of load balancers.
func (b *Balancers) serve(mux *http.ServeMux) {
	mux.HandleFunc("PUT /v1/loadbalancers/{key}", func(w http.ResponseWriter, r *http.Request) {
		var spec httpbalance.Spec
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&spec); err != nil {
			answer(w, http.StatusUnprocessableEntity, httpbalance.Problem{Code: httpbalance.Invalid, Message: err.Error()})
			return
		}
		out, problem := b.ensure(r.PathValue("key"), spec)
		switch {
		case problem != nil && problem.Code == httpbalance.NotFound:
			answer(w, http.StatusGone, problem)
		case problem != nil:
			answer(w, balancerStatuses[problem.Code], problem)
		case out.State == httpbalance.Creating:
			answer(w, http.StatusAccepted, out)
		default:
			answer(w, http.StatusOK, out)
		}
	})
	mux.HandleFunc("GET /v1/loadbalancers/{key}", func(w http.ResponseWriter, r *http.Request) {
		out, problem := b.get(r.PathValue("key"))
		if problem != nil {
			answer(w, balancerStatuses[problem.Code], problem)
			return
		}
		answer(w, http.StatusOK, out)
	})
	mux.HandleFunc("DELETE /v1/loadbalancers/{key}", func(w http.ResponseWriter, r *http.Request) {
		b.remove(r.PathValue("key"))
		w.WriteHeader(http.StatusNoContent)
	})
}
