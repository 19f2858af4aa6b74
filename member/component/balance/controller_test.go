package balance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// played is a provider in the test's hand.
type played struct {
	err     error
	state   State
	address string
	specs   map[string]Spec
	removed map[string]bool
	asked   int
}

func (p *played) seen(key string) (Balancer, error) {
	out := Balancer{Key: key, ID: "lb", State: p.state}
	if p.address != "" {
		out.Addresses = []Address{{IP: p.address}}
	}
	return out, nil
}

func (p *played) Ensure(_ context.Context, key string, spec Spec) (Balancer, error) {
	p.asked++
	if p.err != nil {
		return Balancer{}, p.err
	}
	if p.removed[key] {
		return Balancer{}, ErrGone
	}
	p.specs[key] = spec
	return p.seen(key)
}

func (p *played) Get(_ context.Context, key string) (Balancer, error) {
	if p.err != nil {
		return Balancer{}, p.err
	}
	if _, there := p.specs[key]; !there {
		return Balancer{}, ErrGone
	}
	return p.seen(key)
}

func (p *played) Delete(_ context.Context, key string) error {
	if p.err != nil {
		return p.err
	}
	p.removed[key] = true
	delete(p.specs, key)
	return nil
}

// stand is one Service, its provider and the controller.
type stand struct {
	*testing.T
	*Reconciler
	provider *played
	api      client.Client
	// writes of the controller, and what each of them is to suffer.
	writes int
	fail   func(n int) error
}

func newStand(t *testing.T, edit func(*corev1.Service)) *stand {
	t.Helper()
	s := &stand{T: t, provider: &played{state: Active, address: "10.9.0.1", specs: map[string]Spec{}, removed: map[string]bool{}}}
	object, one := service(), node("one", "10.0.0.1", nil)
	if edit != nil {
		edit(object)
	}
	suffer := func() error {
		s.writes++
		if s.fail != nil {
			return s.fail(s.writes)
		}
		return nil
	}
	s.api = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithStatusSubresource(&corev1.Service{}).
		WithObjects(object, &one, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "me"}}).Build()
	writer := interceptor.NewClient(s.api.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, options ...client.PatchOption) error {
			if err := suffer(); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, options...)
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, options ...client.SubResourcePatchOption,
		) error {
			if err := suffer(); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, o, p, options...)
		},
	})
	s.Reconciler = New(Options{Drivers: map[string]Driver{"luoji-slb": s.provider}, Period: time.Minute}, s.api, s.api, writer)
	return s
}

// look has the controller look once, and tells what the Service says then.
func (s *stand) look() (string, reconcile.Result, error) {
	s.Helper()
	key := client.ObjectKeyFromObject(service())
	result, err := s.Reconcile(s.Context(), reconcile.Request{NamespacedName: key})
	have := &corev1.Service{}
	if gone := s.api.Get(s.Context(), key, have); gone != nil {
		return "gone", result, err
	}
	said := "nothing"
	if c := meta.FindStatusCondition(have.Status.Conditions, v1alpha1.ConditionServiceLoadBalancer); c != nil {
		said = string(c.Status) + " " + c.Reason
	}
	return fmt.Sprintf("%s, %d addresses, %d finalizers", said, len(have.Status.LoadBalancer.Ingress), len(have.Finalizers)), result, err
}

func (s *stand) want(want string) {
	s.Helper()
	if have, _, err := s.look(); have != want {
		s.Errorf("have %q (%v), want %q", have, err, want)
	}
}

const well = "True AddressAssigned, 1 addresses, 1 finalizers"

// TestSilence: one lost answer is no news, three are; no address is taken away, and the same silence is written once.
func TestSilence(t *testing.T) {
	s := newStand(t, nil)
	s.want(well)
	s.provider.err = errors.New("read tcp 10.0.0.1:40001: reset")
	for range maxVain - 1 {
		s.want(well)
	}
	s.want("Unknown ProviderUnanswered, 1 addresses, 1 finalizers")
	before := s.writes
	s.provider.err = errors.New("read tcp 10.0.0.1:40002: reset")
	s.want("Unknown ProviderUnanswered, 1 addresses, 1 finalizers")
	if s.writes != before {
		t.Error("the same silence was written twice")
	}
	s.provider.err = &BusyError{After: time.Hour, Said: "full"}
	have, result, err := s.look()
	if !strings.HasPrefix(have, "False AddressPending, 1 addresses") || result.RequeueAfter != longestBusy || err != nil {
		t.Errorf("busy: %s, %+v, %v", have, result, err)
	}
	s.provider.err = fmt.Errorf("never: %w", ErrInvalid)
	s.want("False ProviderRefused, 1 addresses, 1 finalizers")
	s.provider.err = nil
	s.want(well)
	if have, result, _ := s.look(); have != well || result.RequeueAfter != time.Minute {
		t.Errorf("%s is looked at again in %s", have, result.RequeueAfter)
	}
}

// TestSilenceFromTheStart: who never answered is told at once.
func TestSilenceFromTheStart(t *testing.T) {
	s := newStand(t, nil)
	s.provider.err = errors.New("no such host")
	s.want("Unknown ProviderUnanswered, 0 addresses, 1 finalizers")
	if _, _, err := s.look(); err == nil {
		t.Error("it is not tried again")
	}
}

// TestTheEnd: a Service goes when its load balancer is surely gone, and no sooner.
func TestTheEnd(t *testing.T) {
	s := newStand(t, nil)
	s.want(well)
	s.provider.err = errors.New("404 <html>")
	if err := s.api.Delete(t.Context(), service()); err != nil {
		t.Fatal(err)
	}
	s.want("False LoadBalancerRemoving, 1 addresses, 1 finalizers")
	s.Drivers = nil
	s.want("Unknown ProviderNotConfigured, 1 addresses, 1 finalizers")
	s.Drivers = map[string]Driver{"luoji-slb": s.provider}
	s.provider.err = nil
	s.want("gone")
	if len(s.provider.specs) != 0 || !s.provider.removed["uid-1"] {
		t.Errorf("the provider has %v", s.provider.specs)
	}
}

// TestKilledAnywhere: whichever write fails, there is one load balancer in the end, and never one without its mark.
func TestKilledAnywhere(t *testing.T) {
	for n := 1; n <= 2; n++ {
		t.Run(fmt.Sprintf("at write %d", n), func(t *testing.T) {
			s := newStand(t, nil)
			s.fail = func(write int) error {
				if write == n {
					return errors.New("killed")
				}
				return nil
			}
			if have, _, err := s.look(); err == nil || len(s.provider.specs) > 0 && !strings.HasSuffix(have, "1 finalizers") {
				t.Errorf("%s, %v, and the provider has %v", have, err, s.provider.specs)
			}
			s.want(well)
			if len(s.provider.specs) != 1 {
				t.Errorf("the provider has %v", s.provider.specs)
			}
		})
	}
}

// TestAnothersClass: what is somebody else's, or asks for nothing, is asked of nobody and not written.
func TestAnothersClass(t *testing.T) {
	for name, edit := range map[string]func(*corev1.Service){
		"another class": func(s *corev1.Service) { s.Spec.LoadBalancerClass = ptr.To("aliyun-slb") },
		"no class":      func(s *corev1.Service) { s.Spec.LoadBalancerClass = nil },
		"no balancer":   func(s *corev1.Service) { s.Spec.Type, s.Spec.LoadBalancerClass = corev1.ServiceTypeClusterIP, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, edit)
			s.want("nothing, 0 addresses, 0 finalizers")
			if s.writes != 0 || s.provider.asked != 0 {
				t.Errorf("%d writes, %d questions", s.writes, s.provider.asked)
			}
		})
	}
}

// TestWhatWakes: a status, whoever writes it, wakes nobody: a provider that says something new each time would be asked without end.
func TestWhatWakes(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*corev1.Service)
		want bool
	}{
		"its status": {func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "10.9.0.1"}}
		}, false},
		"its ports":      {func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 1 }, true},
		"a param":        {func(s *corev1.Service) { s.Annotations = map[string]string{v1alpha1.LoadBalancerParams + "a": "b"} }, true},
		"its deletion":   {func(s *corev1.Service) { s.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, true},
		"its finalizers": {func(s *corev1.Service) { s.Finalizers = nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := service(), service()
			before.Finalizers, after.Finalizers = []string{v1alpha1.FinalizerLoadBalancer}, []string{v1alpha1.FinalizerLoadBalancer}
			tc.edit(after)
			if have := askedAnew(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); have != tc.want {
				t.Errorf("wakes: %t, want %t", have, tc.want)
			}
		})
	}
}
