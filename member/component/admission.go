package component

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/decide"
	"github.com/argosy-dev/argosy/member/component/wave"
)

// DeletionPath is where the API server asks about ComponentTemplates that somebody deletes.
const DeletionPath = "/validate-component-templates"

// Deletions warn of what goes with a ComponentTemplate. They refuse nothing, also where they know nothing: the wave holds what comes of it.
type Deletions struct {
	// Reader knows templates and Components; a cache serves.
	Reader client.Reader
	// Namespace of the cluster's values.
	Namespace string
}

// mostLooked at are the Components that are rendered for one question, in the seconds that it may take.
const mostLooked = 2000

// Handle the deletion of a template.
func (d Deletions) Handle(ctx context.Context, request admission.Request) admission.Response {
	warnings, err := d.warnings(ctx, request)
	if err != nil {
		log.FromContext(ctx).Error(err, "Telling what goes with a ComponentTemplate", "template", request.Name)
		return admission.Allowed("")
	}
	return admission.Allowed("").WithWarnings(warnings...)
}

func (d Deletions) warnings(ctx context.Context, request admission.Request) ([]string, error) {
	template := &v1alpha1.ComponentTemplate{}
	if err := json.Unmarshal(request.OldObject.Raw, template); err != nil {
		return nil, fmt.Errorf("reading the ComponentTemplate: %w", err)
	}
	templates, values, err := laid(ctx, d.Reader, d.Namespace)
	if err != nil {
		return nil, err
	}
	components := &v1alpha1.ComponentList{}
	if err := d.Reader.List(ctx, components, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Components: %w", err)
	}
	changes, restarts, unfit := 0, 0, 0
	looked := components.Items[:min(len(components.Items), mostLooked)]
	for i := range looked {
		c := &looked[i]
		if decide.Unmanaged(c) || c.DeletionTimestamp != nil {
			continue
		}
		loss, err := wave.Without(c, templates, values, template.Name)
		if err != nil {
			return nil, err
		}
		changes, restarts, unfit = changes+count(loss.Changes), restarts+count(loss.Restarts), unfit+count(loss.Unfit)
	}
	of := fmt.Sprintf("of %d Components of this cluster", len(components.Items))
	if len(looked) < len(components.Items) {
		of = fmt.Sprintf("of the first %d of %d Components of this cluster", len(looked), len(components.Items))
	}
	if changes == 0 {
		return []string{fmt.Sprintf("without ComponentTemplate %s none %s changes", template.Name, of)}, nil
	}
	out := []string{
		fmt.Sprintf("without ComponentTemplate %s %d %s change, and %d of them restart", template.Name, changes, of, restarts),
		"they do so in a wave at the default pace, whatever spec.wave of it says: 1, 10, 50, 100 per cent, a minute apart. " +
			"One that does not serve then stops it. To undo it, apply the template again",
	}
	if unfit > 0 {
		out = append(out, fmt.Sprintf("%d of them cannot be rendered without it: while that is so the wave changes nobody", unfit))
	}
	return out, nil
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// MemberHandlers are the admission of templates in a member, by path.
func MemberHandlers(reader client.Reader, namespace string) map[string]http.Handler {
	return map[string]http.Handler{DeletionPath: &admission.Webhook{Handler: Deletions{Reader: reader, Namespace: namespace}}}
}
