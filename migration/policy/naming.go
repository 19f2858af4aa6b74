package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxName is what Karmada accepts as the name of a policy: it becomes a label value.
const maxName = 63

// Name of the policies of one object: "<kind>-<name>" in lower case. Kinds hold no dash, so two kinds
// never meet. Above 63 characters, or where lower case or a replaced character would lose a difference,
// a hash of the exact kind and name ends it, so that no two objects share a name.
func Name(kind, name string) string {
	exact := kind + "-" + name
	plain := strings.ToLower(kind) + "-" + strings.Map(dnsRune, name)
	if len(plain) <= maxName && plain == strings.ToLower(kind)+"-"+name {
		return plain
	}
	sum := sha256.Sum256([]byte(exact))
	hash := hex.EncodeToString(sum[:5])
	if keep := maxName - len(hash) - 1; len(plain) > keep {
		plain = plain[:keep]
	}
	return strings.TrimRight(plain, "-.") + "-" + hash
}

// dnsRune maps what Kubernetes allows in some names (RBAC: capitals, colons) to what a policy's name allows.
func dnsRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.':
		return r
	case r >= 'A' && r <= 'Z':
		return r + ('a' - 'A')
	default:
		return '-'
	}
}
