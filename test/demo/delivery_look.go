package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// What is seen in the scene of the delivery: pools and what they answer, servers, and customers.

// pools of a set's Service: the addresses it leads to, by member.
func (s *deliveryScene) pools(ctx context.Context, set string) (map[string][]string, error) {
	out := map[string][]string{}
	for name, member := range s.Members {
		list := &discoveryv1.EndpointSliceList{}
		err := member.List(ctx, list, client.InNamespace(deliveryNamespace), client.MatchingLabels{discoveryv1.LabelServiceName: set})
		if err != nil {
			return nil, fmt.Errorf("listing the EndpointSlices of %s: %w", name, err)
		}
		for _, slice := range list.Items {
			for _, e := range slice.Endpoints {
				if ptr.Deref(e.Conditions.Ready, false) {
					out[name] = append(out[name], e.Addresses[0])
				}
			}
		}
	}
	return out, nil
}

// ask a machine's service what it is, such as "shop 1.0.0, jdk 21.0.2".
func ask(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+":8080/", nil)
	if err != nil {
		return "", err
	}
	patient := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := patient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answered %s", response.Status)
	}
	what, _, _ := strings.Cut(strings.TrimSpace(string(text)), ", vm-")
	return what, nil
}

// answers counts what all in a set's pools say they are.
func (s *deliveryScene) answers(set string) See {
	return func(ctx context.Context) (string, error) {
		pools, err := s.pools(ctx, set)
		if err != nil {
			return "", err
		}
		counts := map[string]int{}
		for _, addresses := range pools {
			for _, address := range addresses {
				answer, err := ask(ctx, address)
				if err != nil {
					return "", err
				}
				counts[answer]++
			}
		}
		var out []string
		for _, answer := range slices.Sorted(maps.Keys(counts)) {
			out = append(out, fmt.Sprintf("%s x%d", answer, counts[answer]))
		}
		return strings.Join(out, "; "), nil
	}
}

// serversOf a set, of all members.
func (s *deliveryScene) serversOf(ctx context.Context, set string) ([]vmv1alpha1.Server, error) {
	var out []vmv1alpha1.Server
	for name, member := range s.Members {
		list := &vmv1alpha1.ServerList{}
		err := member.List(ctx, list, client.InNamespace(deliveryNamespace), client.MatchingLabels{vmv1alpha1.LabelSet: set})
		if err != nil {
			return nil, fmt.Errorf("listing the Servers of %s: %w", name, err)
		}
		out = append(out, list.Items...)
	}
	slices.SortFunc(out, func(a, b vmv1alpha1.Server) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (s *deliveryScene) names(set string) See {
	return func(ctx context.Context) (string, error) {
		servers, err := s.serversOf(ctx, set)
		var out []string
		for _, server := range servers {
			out = append(out, server.Name)
		}
		return strings.Join(out, ", "), err
	}
}

func (s *deliveryScene) ready(set string) See {
	return func(ctx context.Context) (string, error) {
		servers, err := s.serversOf(ctx, set)
		n := 0
		for _, server := range servers {
			if apimeta.IsStatusConditionTrue(server.Status.Conditions, vmv1alpha1.ConditionReady) {
				n++
			}
		}
		return fmt.Sprint(n), err
	}
}

// third is a Server of member3, which has all but shop.
func (s *deliveryScene) third(ctx context.Context, name string) (*vmv1alpha1.Server, error) {
	out := &vmv1alpha1.Server{}
	err := s.Members["member3"].Get(ctx, client.ObjectKey{Namespace: deliveryNamespace, Name: name}, out)
	if err != nil {
		return nil, fmt.Errorf("reading Server %s: %w", name, err)
	}
	return out, nil
}

// blocked is how a server is, and which of its tasks failed for good.
func (s *deliveryScene) blocked(name string) See {
	return func(ctx context.Context) (string, error) {
		server, err := s.third(ctx, name)
		if err != nil {
			return "", err
		}
		for _, task := range server.Status.Tasks {
			if task.State == vmv1alpha1.TaskFailed {
				return fmt.Sprintf("%s, blocked: %s", server.Status.Phase, task.Type), nil
			}
		}
		return fmt.Sprintf("%s, decided by %s", server.Status.Phase, server.Status.DecidedBy), nil
	}
}

// stalled is why the release of a set stopped, and how far it came.
func (s *deliveryScene) stalled(name string) See {
	return func(ctx context.Context) (string, error) {
		deployment := &vmv1alpha1.VMDeployment{}
		err := s.Members["member3"].Get(ctx, client.ObjectKey{Namespace: deliveryNamespace, Name: name}, deployment)
		if err != nil {
			return "", fmt.Errorf("reading VMDeployment %s: %w", name, err)
		}
		servers, err := s.serversOf(ctx, name)
		if err != nil {
			return "", err
		}
		granted := 0
		for _, server := range servers {
			if r := server.Spec.Release; r != nil && r.Version == deployment.Spec.Release.Version {
				granted++
			}
		}
		reason := "goes on"
		if c := apimeta.FindStatusCondition(deployment.Status.Conditions, vmv1alpha1.ConditionStalled); c != nil {
			reason = c.Reason
		}
		return fmt.Sprintf("%s, %d of %d have it", reason, granted, len(servers)), nil
	}
}

// traffic is what customers saw.
type traffic struct {
	stop func()

	mu sync.Mutex
	// served is how many requests were answered, and excused how many were not whose customer had been kept from asking in time.
	served, excused int
	missed          []string
	most            int
	// members that had a server in the pool at any time.
	members sets.Set[string]
}

// drained is for how long a server is asked no more before it goes, by those who know of it.
const drained = 2 * time.Second

// customers ask servers of a set's pools, of so many in each member, until they are stopped. Who is kept from asking until a server has
// drained, since the machine stands still, asks one that has gone: that is nobody's loss.
func (s *deliveryScene) customers(ctx context.Context, set string, each int) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	out, ended := &traffic{members: sets.Set[string]{}}, make(chan struct{})
	out.stop = func() { cancel(); <-ended }
	clock := s.options.Clock
	go func() {
		defer close(ended)
		_ = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			began := clock.Now()
			pools, err := s.pools(ctx, set)
			if err != nil {
				return false, nil // the API server's trouble, and no customer's
			}
			out.saw(pools, each)
			for _, addresses := range pools {
				_, err := ask(ctx, addresses[rand.IntN(len(addresses))])
				if ctx.Err() == nil {
					out.took(err, clock.Since(began))
				}
			}
			return false, nil
		})
	}()
	return out
}

// saw the pools of so many servers each. A member that had any and has none now has them all away.
func (t *traffic) saw(pools map[string][]string, each int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for member := range pools {
		t.members.Insert(member)
	}
	for member := range t.members {
		t.most = max(t.most, each-len(pools[member]))
	}
}

// took note of one request, which ended so long after its customer had looked whom to ask.
func (t *traffic) took(err error, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.served++
	case after < drained:
		t.missed = append(t.missed, err.Error())
	default:
		t.excused++
	}
}

// lost requests. That none were says nothing where nobody was answered.
func (t *traffic) lost(context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.missed) > 0:
		return fmt.Sprintf("%d, the first: %s", len(t.missed), t.missed[0]), nil
	case t.served == 0:
		return "nobody was answered", nil
	}
	return "none", nil
}

// counted requests, in words.
func (t *traffic) counted() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := fmt.Sprintf("Customers asked %d times: %d were answered, %d lost", t.served+len(t.missed)+t.excused, t.served, len(t.missed))
	if t.excused > 0 {
		out += fmt.Sprintf(", and %d are not counted: this machine stood still between looking whom to ask and asking", t.excused)
	}
	return out + "."
}

func (t *traffic) away(context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("at most %d", max(1, t.most)), nil
}
