package service

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

const (
	// ManagedBy is the value of Kubernetes' own label on slices of ours.
	ManagedBy = "member-manager.argosy.dev"
	// LabelOwner is the hash of a pool's owner.
	LabelOwner = "vm.argosy.dev/pool-owner"
	// MaxEndpoints of a slice, as Kubernetes' own controller fills them.
	MaxEndpoints = 100
)

// ownerHash is what labels and names of slices bear of an owner.
func ownerHash(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:5])
}

// group is what one slice can hold: addresses of one family, at one port.
type group struct {
	family discoveryv1.AddressType
	port   int32
}

// change is what to write of slices.
type change struct {
	create, update, remove []*discoveryv1.EndpointSlice
}

// plan turns the slices that there are into ones with these members, with few writes: who has a place keeps it, who is new fills holes, and
// a slice that became empty goes. Members without an IP address are left out and named.
func plan(
	service *corev1.Service, portName *string, pool balance.Pool, have []discoveryv1.EndpointSlice, members []balance.Member,
) (change, []string) {
	wanted := map[group]map[string]balance.Member{}
	var bad []string
	for _, m := range members {
		g, ok := groupOf(m)
		if !ok {
			bad = append(bad, fmt.Sprintf("member %s: %q is no address that an EndpointSlice takes", m.ID, m.Address))
			continue
		}
		if wanted[g] == nil {
			wanted[g] = map[string]balance.Member{}
		}
		wanted[g][m.ID] = m
	}
	var out change
	var open []*discoveryv1.EndpointSlice
	for i := range have {
		open = append(open, stay(&have[i], portName, pool, wanted))
	}
	for _, g := range slices.SortedFunc(maps.Keys(wanted), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.port, b.port))
	}) {
		for _, id := range slices.Sorted(maps.Keys(wanted[g])) {
			place := roomFor(open, g)
			if place == nil {
				place = newSlice(service, portName, pool, g, taken(open))
				open = append(open, place)
			}
			place.Endpoints = append(place.Endpoints, endpoint(pool, wanted[g][id]))
		}
	}
	for i, after := range open {
		switch {
		case i >= len(have):
			out.create = append(out.create, after)
		case len(after.Endpoints) == 0:
			out.remove = append(out.remove, after)
		case !equality.Semantic.DeepEqual(&have[i], after):
			out.update = append(out.update, after)
		}
	}
	return out, bad
}

// stay leaves in a slice who is wanted and has its place there, and takes those out of wanted.
func stay(
	before *discoveryv1.EndpointSlice, portName *string, pool balance.Pool, wanted map[group]map[string]balance.Member,
) *discoveryv1.EndpointSlice {
	after := before.DeepCopy()
	after.Endpoints = nil
	g, known := groupOfSlice(after)
	if !known {
		return after
	}
	after.Ports[0].Name = portName
	for _, e := range before.Endpoints {
		if m, ok := wanted[g][idOf(e)]; ok {
			after.Endpoints = append(after.Endpoints, endpoint(pool, m))
			delete(wanted[g], idOf(e))
		}
	}
	return after
}

// groupOf a member; what the API server refuses is none, for it would refuse the whole slice.
func groupOf(m balance.Member) (group, bool) {
	ip, err := netip.ParseAddr(m.Address)
	if err != nil || ip.Zone() != "" || ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.Is4In6() {
		return group{}, false
	}
	if ip.Is4() {
		return group{family: discoveryv1.AddressTypeIPv4, port: m.Port}, true
	}
	return group{family: discoveryv1.AddressTypeIPv6, port: m.Port}, true
}

func groupOfSlice(slice *discoveryv1.EndpointSlice) (group, bool) {
	if len(slice.Ports) != 1 || slice.Ports[0].Port == nil {
		return group{}, false // a person wrote it anew
	}
	return group{family: slice.AddressType, port: *slice.Ports[0].Port}, true
}

func roomFor(open []*discoveryv1.EndpointSlice, g group) *discoveryv1.EndpointSlice {
	for _, slice := range open {
		if is, ok := groupOfSlice(slice); ok && is == g && len(slice.Endpoints) < MaxEndpoints {
			return slice
		}
	}
	return nil
}

func taken(open []*discoveryv1.EndpointSlice) map[string]bool {
	out := map[string]bool{}
	for _, slice := range open {
		out[slice.Name] = true
	}
	return out
}

func newSlice(
	service *corev1.Service, portName *string, pool balance.Pool, g group, taken map[string]bool,
) *discoveryv1.EndpointSlice {
	prefix := fmt.Sprintf("%s-argosy-%s-%d", service.Name[:min(len(service.Name), 200)], ownerHash(pool.Owner), g.port)
	name := prefix + "-0"
	for i := 1; taken[name]; i++ {
		name = fmt.Sprintf("%s-%d", prefix, i)
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: name,
			Labels: map[string]string{
				discoveryv1.LabelServiceName: service.Name, discoveryv1.LabelManagedBy: ManagedBy, LabelOwner: ownerHash(pool.Owner),
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: service.Name, UID: service.UID}},
		},
		AddressType: g.family,
		Ports:       []discoveryv1.EndpointPort{{Name: portName, Port: ptr.To(g.port), Protocol: ptr.To(corev1.ProtocolTCP)}},
	}
}

// memberKind marks the reference that bears a member's id: it is no kind of any API.
const memberKind = "PoolMember"

func endpoint(pool balance.Pool, m balance.Member) discoveryv1.Endpoint {
	serving := m.Weight > 0
	return discoveryv1.Endpoint{
		Addresses: []string{m.Address},
		Conditions: discoveryv1.EndpointConditions{
			Ready: ptr.To(serving && !m.Draining), Serving: ptr.To(serving), Terminating: ptr.To(m.Draining),
		},
		TargetRef: &corev1.ObjectReference{Kind: memberKind, Namespace: pool.Namespace, Name: m.ID},
	}
}

func idOf(e discoveryv1.Endpoint) string {
	if e.TargetRef == nil || e.TargetRef.Kind != memberKind {
		return ""
	}
	return e.TargetRef.Name
}
