package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
)

// Application is named by its workload.
type Application struct {
	Namespace string
	// Kind of the workload, such as Deployment.
	Kind string
	Name string
}

// ErrBadApplication is returned when a name is missing.
var ErrBadApplication = errors.New("namespace, kind and name of the workload are needed")

// Answer of Ask.
type Answer struct {
	// IsKarmada is true when the application is published to the control plane.
	IsKarmada bool `json:"isKarmada"`
	// Management says it in full: Static, Federated, or Changing (publish nowhere, ask again shortly).
	Management v1alpha1.Management `json:"management"`
	// Phase of the migration; empty when there is none.
	Phase v1alpha1.Phase `json:"phase,omitempty"`
	// Whitelisted says whether a whitelist lists it: what is static may become federated.
	Whitelisted bool `json:"whitelisted"`
	// Blocked is why it does not advance.
	Blocked string `json:"blocked,omitempty"`
	// Clusters it runs in, as far as the migration knows.
	Clusters []string `json:"clusters,omitempty"`
	// OnRelease is true when the take-over waits for the next release.
	OnRelease bool `json:"onRelease,omitempty"`
}

// Ask who manages an application. An application nobody ever listed is static. An error is no answer: do
// not publish on it.
func Ask(ctx context.Context, reader client.Reader, application Application) (Answer, error) {
	if application.Namespace == "" || application.Kind == "" || application.Name == "" {
		return Answer{}, ErrBadApplication
	}
	answer := Answer{Management: v1alpha1.ManagementStatic}
	migration, err := Find(ctx, reader, application)
	if err != nil {
		return Answer{}, err
	}
	if migration == nil {
		migration = &v1alpha1.Migration{}
	}
	if migration.Status.Management != "" {
		answer.Management = migration.Status.Management
	}
	answer.Phase, answer.Blocked = migration.Status.Phase, migration.Status.Blocked
	for _, cluster := range migration.Status.Clusters {
		answer.Clusters = append(answer.Clusters, cluster.Name)
	}
	entry, err := entry(ctx, reader, application)
	if err != nil {
		return Answer{}, err
	}
	answer.Whitelisted = entry != nil
	answer.OnRelease = entry != nil && entry.Trigger == v1alpha1.TriggerOnRelease && !plan.Released(migration.Spec, migration.Status)
	if answer.Management == v1alpha1.ManagementFederated && entry == nil {
		// Taken off this moment: the cut-off begins, and nothing may be written on either side.
		answer.Management = v1alpha1.ManagementChanging
	}
	answer.IsKarmada = answer.Management == v1alpha1.ManagementFederated
	return answer, nil
}

// Find the Migration of an application; nil when it has none. Kinds are compared without regard to case, as
// people write them.
func Find(ctx context.Context, reader client.Reader, application Application) (*v1alpha1.Migration, error) {
	var migrations v1alpha1.MigrationList
	if err := reader.List(ctx, &migrations, client.InNamespace(application.Namespace)); err != nil {
		return nil, fmt.Errorf("listing migrations of namespace %s: %w", application.Namespace, err)
	}
	for i := range migrations.Items {
		spec := &migrations.Items[i].Spec
		if strings.EqualFold(spec.Kind, application.Kind) && spec.Name == application.Name {
			return &migrations.Items[i], nil
		}
	}
	return nil, nil
}

func entry(ctx context.Context, reader client.Reader, application Application) (*v1alpha1.WhitelistEntry, error) {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := reader.List(ctx, &whitelists); err != nil {
		return nil, fmt.Errorf("listing whitelists: %w", err)
	}
	for i := range whitelists.Items {
		for j := range whitelists.Items[i].Spec.Entries {
			entry := &whitelists.Items[i].Spec.Entries[j]
			if entry.Namespace == application.Namespace && strings.EqualFold(entry.Kind, application.Kind) && entry.Name == application.Name {
				return entry, nil
			}
		}
	}
	return nil, nil
}
