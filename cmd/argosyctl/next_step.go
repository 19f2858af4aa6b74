package main

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/argosy-dev/argosy/internal/install"
)

// nextStep is what to do about an error whose words are another program's; empty where the error says enough.
func nextStep(err error) string {
	var lookup *net.DNSError
	switch group, unserved := unservedGroup(err); {
	case unserved && strings.HasSuffix(group, ".karmada.io"):
		return "this API server is not a karmada-apiserver: --kubeconfig and --context must name one"
	case unserved && slices.Contains(ownGroups(), group):
		return "Argosy's kinds are not installed there: argosyctl check says what is missing"
	case utilnet.IsConnectionRefused(err), unanswered(err), errors.As(err, &lookup):
		return "see that --kubeconfig and --context name karmada-apiserver, and that it is reached from here"
	}
	return ""
}

// unanswered is true of a request that nobody answered in time, and not of a wait of ours for what the answers say.
func unanswered(err error) bool {
	var request *url.Error
	return utilnet.IsTimeout(err) && errors.As(err, &request)
}

// unservedGroup is the group of a kind that the API server does not serve.
func unservedGroup(err error) (string, bool) {
	var kind *meta.NoKindMatchError
	var resource *meta.NoResourceMatchError
	switch {
	case errors.As(err, &kind):
		return kind.GroupKind.Group, true
	case errors.As(err, &resource):
		return resource.PartialResource.Group, true
	}
	return "", false
}

// ownGroups are the groups of the kinds that an installation brings.
func ownGroups() []string {
	kinds, err := install.CRDs()
	if err != nil {
		return nil // they are part of the program: argosyctl install says what is wrong with them
	}
	var out []string
	for _, kind := range kinds {
		if _, group, found := strings.Cut(kind.GetName(), "."); found {
			out = append(out, group)
		}
	}
	return out
}
