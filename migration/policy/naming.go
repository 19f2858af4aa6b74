package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxName is what Karmada accepts as the name of a policy: it becomes a label value.
const maxName = 63

// Name of the policies of one object: "<kind>-<name>" in lower case. Kinds hold no dash, so two kinds
// never meet. Above 63 characters, and for names that only some kinds may have (RBAC: capitals, colons),
// a hash of the exact kind and name ends it, so that no two objects share a name.
func Name(kind, name string) string {
	plain := strings.ToLower(kind) + "-" + name
	if len(plain) <= maxName && len(validation.IsDNS1123Subdomain(plain)) == 0 {
		return plain
	}
	sum := sha256.Sum256([]byte(kind + "-" + name))
	hash := hex.EncodeToString(sum[:5])
	readable := strings.ToLower(kind) + "-" + strings.Map(dnsRune, name)
	if keep := maxName - len(hash) - 1; len(readable) > keep {
		readable = readable[:keep]
	}
	return strings.TrimRight(readable, "-") + "-" + hash
}

// dnsRune maps what Kubernetes allows in some names (RBAC: capitals, colons) to what a label of DNS allows.
func dnsRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
		return r
	case r >= 'A' && r <= 'Z':
		return r + ('a' - 'A')
	default:
		return '-'
	}
}
