package v1alpha1

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// ScaleInRequestAnnotation stands on a resource template while pods are being removed by name. Karmada carries it
	// into every member's Work. Its value is ScaleInRequest.Encode.
	ScaleInRequestAnnotation = "scalein.argosy.dev/request"

	// ScaleInDeliveredAnnotation stands on the workload in a member. Retain writes it together with the names: its
	// value is the id of the last request whose names this member has taken.
	ScaleInDeliveredAnnotation = "scalein.argosy.dev/delivered"

	// ScaleInLoweredAnnotation stands on a binding and a template whose replicas a request has lowered. Its value is the
	// request's id, on a binding followed by "/released" once the scheduler is let go: whoever goes on after a crash knows
	// what is done.
	ScaleInLoweredAnnotation = "scalein.argosy.dev/lowered"

	// ScaleInLoweredFromAnnotation stands on a template beside the former: the resourceVersion it had just before its replicas
	// were lowered. A binding that Karmada made from a later one has the lowered replicas in it.
	ScaleInLoweredFromAnnotation = "scalein.argosy.dev/lowered-from"

	// ScaleInLoweredOfAnnotation stands on a binding that an adoption has lowered: the template's replicas then. A template that says
	// another number was scaled since, and that is not undone.
	ScaleInLoweredOfAnnotation = "scalein.argosy.dev/lowered-of"

	// PodScaleInFinalizer keeps an order until its request is off the template and the scheduler is released.
	PodScaleInFinalizer = "scalein.argosy.dev/cleanup"

	// ScaleInAdoptAnnotation on a resource template tells the controller to follow scale-ins made by hand in members that
	// own their replicas: it lowers binding and template to what the members hold. AdoptOnce does so once and takes the
	// annotation off; AdoptAlways keeps following.
	ScaleInAdoptAnnotation = "scalein.argosy.dev/adopt"
	AdoptOnce              = "once"
	AdoptAlways            = "true"
)

// ScaleInRequest tells each member which of its pods go, and at how many replicas it arrives.
//
// Names and replicas must reach a member in one update: names alone are replaced by new pods, replicas alone pick pods by
// ranking. The template carries the names to every Work first, with the replicas still as they were; the binding
// lowers the replicas afterwards. Deliver holds the names back until the manifest also bears the lowered replicas.
type ScaleInRequest struct {
	// ID is the token: a member takes the names of one token once.
	ID string
	// Members by cluster name. A cluster that is not listed gives up nothing.
	Members map[string]MemberScaleIn
}

// MemberScaleIn is one member's part of a request.
type MemberScaleIn struct {
	// Replicas the member holds afterwards.
	Replicas int32
	// Pods that go, by name.
	Pods []string
}

// Deliver says what Retain does with a manifest on its way into cluster. replicas are those of the manifest; delivered is
// ScaleInDeliveredAnnotation of the observed object. With ok, Retain appends names to the observed podsToDelete and sets
// ScaleInDeliveredAnnotation to the request's ID; otherwise it keeps the observed podsToDelete. Either way OpenKruise, which
// shortens the list as pods go, never sees a name again that it has finished.
func (r ScaleInRequest) Deliver(cluster string, replicas int32, delivered string) (names []string, ok bool) {
	member, listed := r.Members[cluster]
	if !listed || delivered == r.ID || replicas > member.Replicas {
		return nil, false
	}
	return slices.Clone(member.Pods), true
}

// Encode writes "id;cluster:replicas=pod,pod;cluster:replicas=pod", clusters and pods sorted. None of the separators can
// occur in the name of a cluster or a pod.
func (r ScaleInRequest) Encode() string {
	parts := []string{r.ID}
	clusters := make([]string, 0, len(r.Members))
	for cluster := range r.Members {
		clusters = append(clusters, cluster)
	}
	slices.Sort(clusters)
	for _, cluster := range clusters {
		member := r.Members[cluster]
		pods := slices.Clone(member.Pods)
		slices.Sort(pods)
		parts = append(parts, cluster+":"+strconv.FormatInt(int64(member.Replicas), 10)+"="+strings.Join(pods, ","))
	}
	return strings.Join(parts, ";")
}

// ParseScaleInRequest reads the value of ScaleInRequestAnnotation.
func ParseScaleInRequest(value string) (ScaleInRequest, error) {
	id, rest, _ := strings.Cut(value, ";")
	if id == "" || strings.ContainsAny(id, ":=,") {
		return ScaleInRequest{}, malformedRequest(value, "it does not begin with an id")
	}
	request := ScaleInRequest{ID: id, Members: map[string]MemberScaleIn{}}
	for part := range strings.SplitSeq(rest, ";") {
		if part == "" {
			continue
		}
		head, names, found := strings.Cut(part, "=")
		cluster, count, counted := strings.Cut(head, ":")
		replicas, err := strconv.ParseInt(count, 10, 32)
		if !found || !counted || cluster == "" || err != nil || replicas < 0 {
			return ScaleInRequest{}, malformedRequest(value, fmt.Sprintf("%q is not cluster:replicas=pod,pod", part))
		}
		if _, twice := request.Members[cluster]; twice {
			return ScaleInRequest{}, malformedRequest(value, fmt.Sprintf("cluster %q is listed twice", cluster))
		}
		member := MemberScaleIn{Replicas: int32(replicas)}
		for name := range strings.SplitSeq(names, ",") {
			if name != "" {
				member.Pods = append(member.Pods, name)
			}
		}
		request.Members[cluster] = member
	}
	return request, nil
}

func malformedRequest(value, why string) error {
	const longest = 80
	if len(value) > longest {
		value = value[:longest] + "..."
	}
	return fmt.Errorf("annotation %s: %q: %s; the PodScaleIn controller writes it, remove it if a person did", ScaleInRequestAnnotation, value,
		why)
}
