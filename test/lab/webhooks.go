package lab

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// webhooksWithin is how many seconds an API server can wait for a webhook at most.
const webhooksWithin = 30

// WaitLonger has an API server wait for the webhooks of a registration as long as it can. Its own seconds are for an installation that is
// served; a machine that plays a whole federation may stand still for longer.
func WaitLonger(registration *unstructured.Unstructured) {
	webhooks, _ := registration.Object["webhooks"].([]any)
	for _, webhook := range webhooks {
		if of, ok := webhook.(map[string]any); ok && registration.GroupVersionKind().Group == "admissionregistration.k8s.io" {
			of["timeoutSeconds"] = int64(webhooksWithin)
		}
	}
}
