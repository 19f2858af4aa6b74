package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/demo"
)

// fedhpaTarget is small, so that stories side by side do not take each other's room.
func fedhpaTarget() string { return demo.AutoscaledDeployment("$NS", "10m") }

// fedhpaObject wants 50 m for each pod: one replica for each 50 m of load.
const fedhpaObject = `
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: FedHPA
metadata: {namespace: $NS, name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 4
  maxReplicas: 20
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: AverageValue, averageValue: 50m}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 5}}
`

const allTrue = "Ready=True BooksAgree=True MembersScaling=True"

// slow is how long a load may take to be seen by an autoscaler: where the member has the real metrics-server, that comes first.
const slow = "6m"

// soon is for what the control plane does upon an event or when a time is up: less than the two minutes after which FedHPA looks around
// anyway, and than the pause of a controller that waits twice as long after each failure.
const soon = "90s"

// autoscaled is one Deployment under a FedHPA.
type autoscaled struct {
	planes
	t  *testing.T
	g  Gomega
	ns string
	// loads ends the load on a member.
	loads map[string]context.CancelFunc
}

// newAutoscaled takes the Deployment over as it is: two replicas in each of two members.
func newAutoscaled(t *testing.T) autoscaled {
	t.Helper()
	a := deployed(t, fedhpaTarget())
	a.takeOver(fedhpaObject)
	return a
}

// deployed is the Deployment alone.
func deployed(t *testing.T, manifests string) autoscaled {
	t.Helper()
	p := federation(t)
	a := autoscaled{planes: p, t: t, g: NewWithT(t), ns: newNamespace(t, p), loads: map[string]context.CancelFunc{}}
	p.apply(t, a.ns, manifests)
	a.g.Eventually(a.members, slow, "200ms").Should(MatchRegexp("member1=. member[23]=."))
	return a
}

func (a autoscaled) takeOver(object string) {
	a.t.Helper()
	p, t := a.planes, a.t
	p.apply(t, a.ns, object)
	a.releaseInTheEnd()
	a.g.Eventually(a.conditions, slow, "500ms").Should(Equal(allTrue))
}

// releaseInTheEnd lets the FedHPA go before the namespace does, so that no autoscaler outlives the test.
func (a autoscaled) releaseInTheEnd() {
	p, t := a.planes, a.t
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(p.karmada.Delete(context.Background(), a.object())); err != nil {
			t.Errorf("deleting the FedHPA: %v", err)
		}
		NewWithT(t).Eventually(func() error {
			return p.karmada.Get(context.Background(), client.ObjectKeyFromObject(a.object()), &api.FedHPA{})
		}, slow, "500ms").ShouldNot(Succeed(), "the FedHPA lets go")
	})
}

func (a autoscaled) object() *api.FedHPA {
	return &api.FedHPA{ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: "web"}}
}

func (a autoscaled) conditions() (string, error) {
	fed, err := a.fed()
	if err != nil {
		return "", err
	}
	var out []string
	for _, kind := range []string{api.FedHPAReady, api.FedHPABooksAgree, api.FedHPAMembersScaling} {
		for _, c := range fed.Status.Conditions {
			if c.Type == kind {
				out = append(out, fmt.Sprintf("%s=%s", kind, c.Status))
			}
		}
	}
	return strings.Join(out, " "), nil
}

func (a autoscaled) fed() (*api.FedHPA, error) {
	fed := &api.FedHPA{}
	err := a.karmada.Get(a.t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web"}, fed)
	return fed, err
}

// members is what each member's Deployment asks for; one that does not answer is left out.
func (a autoscaled) members() string {
	out := map[string]int32{}
	for name, member := range a.planes.members {
		// A member that is stopped refuses at once; one that is busy is waited for.
		ctx, cancel := context.WithTimeout(a.t.Context(), 30*time.Second)
		var d appsv1.Deployment
		if member.Get(ctx, client.ObjectKey{Namespace: a.ns, Name: "web"}, &d) == nil {
			out[name] = ptr.Deref(d.Spec.Replicas, 1)
		}
		cancel()
	}
	return words(out)
}

func words(counts map[string]int32) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s=%d", name, counts[name]))
	}
	return strings.Join(out, " ")
}

// books is what the control plane says, with the template's count.
func (a autoscaled) books() (string, error) {
	binding, sum, err := a.bookings()
	if err != nil {
		return "", err
	}
	var d appsv1.Deployment
	if err := a.karmada.Get(a.t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web"}, &d); err != nil {
		return "", err
	}
	if ptr.Deref(d.Spec.Replicas, 1) != sum {
		return fmt.Sprintf("%s, but the template says %d", binding, ptr.Deref(d.Spec.Replicas, 1)), nil
	}
	return binding, nil
}

// bookings is what the scheduling result says, by cluster and in all.
func (a autoscaled) bookings() (clusters string, sum int32, err error) {
	var rb workv1alpha2.ResourceBinding
	if err := a.karmada.Get(a.t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web-deployment"}, &rb); err != nil {
		return "", 0, err
	}
	counts := map[string]int32{}
	for _, c := range rb.Spec.Clusters {
		counts[c.Name] = c.Replicas
		sum += c.Replicas
	}
	if rb.Spec.Replicas != sum {
		return fmt.Sprintf("%s, but the binding says %d in all", words(counts), rb.Spec.Replicas), sum, nil
	}
	return words(counts), sum, nil
}

// load puts the given load on a member instead of the one before, until the test ends.
func (a autoscaled) load(member string, millicores int) {
	if stop := a.loads[member]; stop != nil {
		stop()
	}
	ctx, stop := context.WithCancel(a.t.Context())
	a.loads[member] = stop
	go demo.Load{Member: a.planes.members[member], Namespace: a.ns, Labels: map[string]string{"app": "web"}}.Run(ctx, millicores)
}

func (a autoscaled) push(replicas int) {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: "web"}}
	patch := client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"replicas":%d},"metadata":{"annotations":{"pushed":"%d"}}}`, replicas,
			time.Now().UnixNano())) //nolint:forbidigo // a value that is new each time
	a.g.Expect(a.karmada.Patch(a.t.Context(), d, patch)).To(Succeed())
}

// rests waits until the members ask for this and go on asking for it longer than figures lag behind in member1 and member2, a second for
// the load and one for the autoscaler, and longer than it keeps what it has: on its way it may find one replica more than the load needs,
// which it takes back itself.
func (a autoscaled) rests(want string) {
	a.t.Helper()
	a.g.Eventually(a.members, slow, "500ms").MustPassRepeatedly(20).Should(Equal(want))
}

// settles waits until the members' autoscalers have looked at what runs now, want just that, and wait for nothing.
func (a autoscaled) settles(want string) {
	a.t.Helper()
	last := ""
	a.g.Eventually(func() (string, error) {
		seen := a.members()
		for name, member := range a.planes.members {
			if !strings.Contains(seen, name+"=") {
				continue
			}
			var hpa autoscalingv2.HorizontalPodAutoscaler
			if err := member.Get(a.t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web"}, &hpa); err != nil {
				return "", err
			}
			wants := fmt.Sprintf("%s=%d", name, hpa.Status.DesiredReplicas)
			ready := slices.ContainsFunc(hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
				return c.Type == autoscalingv2.AbleToScale && c.Reason == "ReadyForNewScale"
			})
			if !ready || hpa.Status.CurrentReplicas != hpa.Status.DesiredReplicas || !slices.Contains(strings.Fields(seen), wants) {
				return fmt.Sprintf("%s, on the way to %s", seen, wants), nil
			}
		}
		was := last
		if last = seen; seen != was {
			return fmt.Sprintf("%s, after %s", seen, was), nil
		}
		return seen, nil
	}, slow, "500ms").MustPassRepeatedly(20).Should(MatchRegexp("^" + want + "$"))
}

// mosts are the upper limits that these members have.
func (a autoscaled) mosts(members ...string) func() ([]int32, error) {
	return answered(a.t, func() ([]int32, error) {
		fed, err := a.fed()
		var out []int32
		for _, c := range fed.Status.Clusters {
			if slices.Contains(members, c.Name) {
				out = append(out, c.MaxReplicas)
			}
		}
		if err == nil && len(out) != len(members) {
			err = fmt.Errorf("not all of %v have limits: %v", members, fed.Status.Clusters)
		}
		return out, err
	})
}

// falls counts from now on how often anybody but its own autoscaler sets a member's Deployment lower than it was; the result is the count
// so far.
func (a autoscaled) falls(member string) func() int32 {
	var falls atomic.Int32
	changes := follow(a.t, a.t.Context(), a.planes, member, a.ns, &appsv1.DeploymentList{})
	go func() {
		last := int32(-1)
		for event := range changes {
			d, ok := event.Object.(*appsv1.Deployment)
			if !ok {
				continue
			}
			now := ptr.Deref(d.Spec.Replicas, 1)
			if now < last && !setByAutoscaler(d) {
				falls.Add(1)
			}
			last = now
		}
	}()
	return falls.Load
}

// setByAutoscaler reports whether it was an autoscaler that last changed the replicas: only they write through the scale.
func setByAutoscaler(d *appsv1.Deployment) bool {
	return slices.ContainsFunc(d.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
		return e.Subresource == "scale" && e.FieldsV1 != nil && strings.Contains(string(e.FieldsV1.Raw), `"f:replicas"`)
	})
}
