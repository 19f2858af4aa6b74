package balance

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// How soon a provider is asked again.
const (
	whileCreating  = 2 * time.Second
	whileUnhealthy = 10 * time.Second
	whileBusy      = 10 * time.Second
	longestBusy    = 10 * time.Minute
)

// Heard is what a provider said of a load balancer that is to be there.
type Heard struct {
	Provider string
	// Service is the name of the Service, and targets how many nodes were named.
	Service string
	Targets int
	Balancer
	Err error
}

// Telling is what is made known of it, and when it is asked again.
type Telling struct {
	Condition metav1.Condition
	// Addresses are given to the Service; nil: those that it has stay.
	Addresses []corev1.LoadBalancerIngress
	// Again is when to ask again; 0: in the usual period. Retry has it tried again as what failed is.
	Again time.Duration
	Retry bool
}

// Told makes what is told of what was heard. Who cannot be asked has denied nothing: addresses are taken away by nobody.
func Told(heard Heard) Telling {
	if heard.Err != nil {
		return toldError(heard)
	}
	out := Telling{Condition: condition(metav1.ConditionFalse, v1alpha1.ReasonAddressPending, "%s is making the load balancer%s.",
		heard.Provider, because(heard.Message)), Again: whileCreating}
	for _, a := range heard.Addresses {
		out.Addresses = append(out.Addresses, corev1.LoadBalancerIngress{IP: a.IP, Hostname: a.Hostname})
	}
	switch {
	case heard.State == Failed:
		out.Condition = condition(metav1.ConditionFalse, v1alpha1.ReasonLoadBalancerFailed,
			"%s has given the load balancer up%s. Ask your platform team.", heard.Provider, because(heard.Message))
		out.Again = 0
	case heard.State == Unknown:
		out.Condition = condition(metav1.ConditionUnknown, v1alpha1.ReasonProviderUnanswered,
			"%s does not know how the load balancer is%s.", heard.Provider, because(heard.Message))
		out.Again = whileUnhealthy
	case heard.State != Active || len(heard.Addresses) == 0:
		out.Addresses = nil // one that is not finished is reached by nobody
	case heard.Targets == 0:
		out.Condition = condition(metav1.ConditionFalse, v1alpha1.ReasonTargetsUnhealthy,
			"The load balancer has its address and sends to nobody: this cluster has no node that load balancers may use.")
		out.Again = whileUnhealthy
	case heard.Healthy != nil && *heard.Healthy == 0:
		out.Condition = condition(metav1.ConditionFalse, v1alpha1.ReasonTargetsUnhealthy,
			"The load balancer has its address, and none of %d nodes answers its health check%s: it reaches nobody. "+
				"Ask your platform team whether %s may reach the cluster's node ports.", heard.Targets, because(heard.Message), heard.Provider)
		out.Again = whileUnhealthy
	default:
		out.Condition = condition(metav1.ConditionTrue, v1alpha1.ReasonAddressAssigned,
			"The load balancer of %s has its address.", heard.Provider)
		out.Again = 0
	}
	return out
}

func toldError(heard Heard) Telling {
	said := because(heard.Err.Error())
	var busy *BusyError
	switch {
	case errors.Is(heard.Err, ErrInvalid):
		return Telling{Condition: condition(metav1.ConditionFalse, v1alpha1.ReasonProviderRefused,
			"%s refuses%s. Change what the Component or its template asks for, or ask your platform team.", heard.Provider, said)}
	case errors.Is(heard.Err, ErrGone):
		return Telling{Condition: condition(metav1.ConditionFalse, v1alpha1.ReasonProviderRefused,
			"%s has removed this load balancer and makes it never again%s. Delete Service %s: another is made in its place.",
			heard.Provider, said, heard.Service)}
	case errors.As(heard.Err, &busy):
		again := min(busy.After, longestBusy)
		if again <= 0 {
			again = whileBusy
		}
		return Telling{Condition: condition(metav1.ConditionFalse, v1alpha1.ReasonAddressPending,
			"%s has no time or room yet%s. It is asked again.", heard.Provider, because(busy.Said)), Again: again}
	}
	return Telling{Retry: true, Condition: condition(metav1.ConditionUnknown, v1alpha1.ReasonProviderUnanswered,
		"%s was asked in vain%s. What it has stays as it is; it is asked again.", heard.Provider, said)}
}

func condition(status metav1.ConditionStatus, reason, format string, args ...any) metav1.Condition {
	return metav1.Condition{
		Type: v1alpha1.ConditionServiceLoadBalancer, Status: status, Reason: reason, Message: fmt.Sprintf(format, args...),
	}
}

// because adds somebody's own words, cut to a length for people.
func because(words string) string {
	words = strings.Join(strings.Fields(strings.ToValidUTF8(words, "")), " ")
	if words == "" {
		return ""
	}
	const most = 300
	if len(words) > most {
		return " (" + strings.ToValidUTF8(words[:most], "") + "...)"
	}
	return " (" + strings.TrimSuffix(words, ".") + ")"
}

// ownNames are of whoever asks.
var ownNames = []string{"localhost", "localhost.localdomain"}

// Check an answer's address: none that leads back to whoever uses it, and none that is no address.
func Check(a Address) error {
	ip := net.ParseIP(a.IP)
	switch {
	case (a.IP == "") == (a.Hostname == ""):
		return fmt.Errorf("an address is an IP or a host name: %q, %q", a.IP, a.Hostname)
	case a.IP != "" && (ip == nil || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast()):
		return fmt.Errorf("%q is no address of a load balancer", a.IP)
	case a.Hostname != "" && (len(validation.IsDNS1123Subdomain(a.Hostname)) > 0 || slices.Contains(ownNames, a.Hostname)):
		return fmt.Errorf("%q is no host name of a load balancer", a.Hostname)
	}
	return nil
}
