package policy

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fixed are the fields that API servers never let change, by kind (k8s.io/kubernetes, pkg/apis/{apps,core}/validation). A
// claim's size is one: in the control plane no claim is ever bound, and only bound ones may grow.
var fixed = map[string][][]string{
	"Deployment":  {{"spec", "selector"}},
	"DaemonSet":   {{"spec", "selector"}},
	"StatefulSet": {{"spec", "selector"}, {"spec", "serviceName"}, {"spec", "podManagementPolicy"}, {"spec", "volumeClaimTemplates"}},
	"PersistentVolumeClaim": {
		{"spec", "accessModes"}, {"spec", "resources"}, {"spec", "selector"}, {"spec", "storageClassName"}, {"spec", "volumeMode"},
	},
	"Secret":  {{"type"}},
	"Service": {{"spec", "clusterIP"}},
}

// Fixed names the first field in which a template differs from what it shall become and which it can never take on: the
// object was deleted and made anew in the members. Empty when there is none.
func Fixed(existing, desired *unstructured.Unstructured) string {
	existing = Template(existing)
	fields := fixed[existing.GetKind()]
	if immutable, _, _ := unstructured.NestedBool(existing.Object, "immutable"); immutable {
		fields = append([][]string{{"immutable"}, {"data"}, {"binaryData"}}, fields...)
	}
	for _, field := range fields {
		have, _, _ := unstructured.NestedFieldNoCopy(existing.Object, field...)
		want, _, _ := unstructured.NestedFieldNoCopy(desired.Object, field...)
		_, holds := Contains(have, want)
		_, held := Contains(want, have)
		if holds && held || blank(have) && blank(want) {
			continue
		}
		return strings.Join(field, ".")
	}
	return ""
}

// blank values are those an API server may leave out.
func blank(value any) bool { return empty(value) || value == "" || value == false }
