package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

// +kubebuilder:rbac:groups="",resources=services,verbs=get
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=list;create;update;delete
// An owner that blocks nobody's deletion may be named without the right to its finalizers.

// Name of the driver in spec.loadBalancers[].driver.
const Name = "service"

// Driver writes EndpointSlices.
type Driver struct {
	// reader asks the API server itself: what a cache shows may be older than what was written.
	reader client.Reader
	writer client.Client
}

var _ balance.Driver = &Driver{}

// New driver.
func New(reader client.Reader, writer client.Client) *Driver {
	return &Driver{reader: reader, writer: writer}
}

// Ensure the owner's members of the pool are these.
func (d *Driver) Ensure(ctx context.Context, pool balance.Pool, members []balance.Member) error {
	service, port, err := d.service(ctx, pool)
	if err != nil {
		if errors.Is(err, balance.ErrNoPool) && len(members) == 0 {
			return nil // its slices go with it
		}
		return err
	}
	have, err := d.slices(ctx, pool, service.Name)
	if err != nil {
		return err
	}
	changes, bad := plan(service, port, pool, have, members)
	var errs []error
	for _, text := range bad {
		errs = append(errs, fmt.Errorf("%s: %w", text, balance.ErrInvalid))
	}
	for _, slice := range changes.create {
		errs = append(errs, d.told("making", slice, d.writer.Create(ctx, slice)))
	}
	for _, slice := range changes.update {
		errs = append(errs, d.told("changing", slice, d.writer.Update(ctx, slice)))
	}
	for _, slice := range changes.remove {
		precondition := client.Preconditions{UID: &slice.UID, ResourceVersion: &slice.ResourceVersion}
		errs = append(errs, d.told("removing", slice, client.IgnoreNotFound(d.writer.Delete(ctx, slice, precondition))))
	}
	return errors.Join(errs...)
}

func (d *Driver) told(verb string, slice *discoveryv1.EndpointSlice, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s EndpointSlice %s: %w", verb, slice.Name, err)
}

// Observe the owner's members.
func (d *Driver) Observe(ctx context.Context, pool balance.Pool) ([]balance.Seen, error) {
	service, _, err := d.service(ctx, pool)
	if err != nil {
		return nil, err
	}
	have, err := d.slices(ctx, pool, service.Name)
	if err != nil {
		return nil, err
	}
	found := map[string]balance.Seen{}
	for i := range have {
		g, known := groupOfSlice(&have[i])
		for _, e := range have[i].Endpoints {
			id := idOf(e)
			if id == "" || len(e.Addresses) == 0 {
				continue
			}
			one := balance.Seen{Member: balance.Member{
				ID: id, Address: e.Addresses[0], Port: g.port, Draining: ptr.Deref(e.Conditions.Terminating, false),
			}, Mixed: !known}
			if ptr.Deref(e.Conditions.Serving, true) {
				one.Weight = 100
			}
			if before, twice := found[id]; twice {
				before.Mixed = true
				one = before
			}
			found[id] = one
		}
	}
	var out []balance.Seen
	for _, one := range found {
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b balance.Seen) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// service of the pool, and the name of the port that its slices must bear.
func (d *Driver) service(ctx context.Context, pool balance.Pool) (*corev1.Service, *string, error) {
	name, port, chosen := strings.Cut(pool.Name, ":")
	if problems := validation.IsDNS1035Label(name); len(problems) > 0 {
		return nil, nil, fmt.Errorf("pool %q: %q is no name of a Service: %w", pool.Name, name, balance.ErrInvalid)
	}
	service := &corev1.Service{}
	err := d.reader.Get(ctx, client.ObjectKey{Namespace: pool.Namespace, Name: name}, service)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil, fmt.Errorf("there is no Service %s/%s: %w", pool.Namespace, name, balance.ErrNoPool)
	case err != nil:
		return nil, nil, fmt.Errorf("reading Service %s: %w", name, err)
	case len(service.Spec.Selector) > 0:
		return nil, nil, fmt.Errorf("the Service %s has a selector, so Kubernetes writes its endpoints: %w", name, balance.ErrInvalid)
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		return nil, nil, fmt.Errorf("the Service %s is of type ExternalName and has no endpoints: %w", name, balance.ErrInvalid)
	}
	if !chosen && len(service.Spec.Ports) == 1 {
		return service, ptr.To(service.Spec.Ports[0].Name), nil
	}
	var names []string
	for _, p := range service.Spec.Ports {
		if chosen && p.Name == port {
			return service, ptr.To(p.Name), nil
		}
		names = append(names, p.Name)
	}
	return nil, nil, fmt.Errorf("pool %q: Service %s has the ports %q: say which, as %s:PORT: %w",
		pool.Name, name, names, name, balance.ErrInvalid)
}

// slices of the owner, by name.
func (d *Driver) slices(ctx context.Context, pool balance.Pool, service string) ([]discoveryv1.EndpointSlice, error) {
	list := &discoveryv1.EndpointSliceList{}
	err := d.reader.List(ctx, list, client.InNamespace(pool.Namespace), client.MatchingLabels{
		discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: ManagedBy, LabelOwner: ownerHash(pool.Owner),
	})
	if err != nil {
		return nil, fmt.Errorf("listing EndpointSlices of Service %s: %w", service, err)
	}
	slices.SortFunc(list.Items, func(a, b discoveryv1.EndpointSlice) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}
