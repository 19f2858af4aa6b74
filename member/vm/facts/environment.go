package facts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// none is the environment of a machine on which nothing is asked for.
const none = "none"

// Environment is the hash of what a server's packages ask for, with that of their settings as they were granted; at most 64 characters.
func Environment(packages []v1alpha1.Package, settings string) string {
	if len(packages) == 0 {
		return none
	}
	text, err := json.Marshal(struct {
		Packages []v1alpha1.Package
		Settings string
	}{packages, settings})
	if err != nil {
		return "unreadable" // strings, numbers and maps of strings: they always marshal
	}
	sum := sha256.Sum256(text)
	return "packages:" + hex.EncodeToString(sum[:16])
}

// OtherEnvironment is that of a machine which lacks some of what is asked for.
func OtherEnvironment(missing []string) string {
	sum := sha256.Sum256([]byte(strings.Join(missing, "\n")))
	return "lacks:" + hex.EncodeToString(sum[:16])
}

// Address at which a machine is reached from its member: inside before outside, and a number before a name; empty: there is none.
func Address(addresses []corev1.NodeAddress) string {
	for _, kind := range []corev1.NodeAddressType{
		corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeInternalDNS, corev1.NodeExternalDNS, corev1.NodeHostName,
	} {
		for _, a := range addresses {
			if a.Type == kind {
				return a.Address
			}
		}
	}
	return ""
}
