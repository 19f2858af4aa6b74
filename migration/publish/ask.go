package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Application is named by its workload.
type Application struct {
	Namespace string
	// Kind of the workload, such as Deployment.
	Kind string
	Name string
}

// ErrBadApplication is returned when a name is missing, or the kind is none that is ever moved. Answering Static to what
// may be a slip of the pen would let CI/CD publish past the federation.
var ErrBadApplication = errors.New("no such application can be asked about")

// called are the kinds a migration moves, by what people and kubectl call them.
var called = map[string]string{
	"deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment",
	"statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet", "asts": "StatefulSet",
	"daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet", "daemon": "DaemonSet", "ads": "DaemonSet",
	"cloneset": "CloneSet", "clonesets": "CloneSet", "clone": "CloneSet",
}

// named by its kind's own name, whatever it was called; a group after a dot is left out.
func (a Application) named() (Application, error) {
	if a.Namespace == "" || a.Kind == "" || a.Name == "" {
		return a, fmt.Errorf("%w: namespace, kind and name of the workload are needed", ErrBadApplication)
	}
	word, _, _ := strings.Cut(strings.ToLower(a.Kind), ".")
	kind, known := called[word]
	if !known {
		return a, fmt.Errorf("%w: %q is none of the kinds that can be federated: Deployment, StatefulSet, DaemonSet, CloneSet",
			ErrBadApplication, a.Kind)
	}
	a.Kind = kind
	return a, nil
}

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
	application, err := application.named()
	if err != nil {
		return Answer{}, err
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
	if migration.Spec.Rollback != nil {
		entry = nil // whatever lists say
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

// Find the Migration of an application; nil when it has none.
func Find(ctx context.Context, reader client.Reader, application Application) (*v1alpha1.Migration, error) {
	application, err := application.named()
	if err != nil {
		return nil, err
	}
	var migrations v1alpha1.MigrationList
	if err := reader.List(ctx, &migrations, client.InNamespace(application.Namespace)); err != nil {
		return nil, fmt.Errorf("listing migrations of namespace %s: %w", application.Namespace, err)
	}
	for i := range migrations.Items {
		spec := &migrations.Items[i].Spec
		if spec.Kind == application.Kind && spec.Name == application.Name {
			return &migrations.Items[i], nil
		}
	}
	return nil, nil
}

// carried are the kinds that a migration handles, by what its controllers say in the whitelists' status.
func carried(ctx context.Context, reader client.Reader) (policy.Kinds, error) {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := reader.List(ctx, &whitelists); err != nil {
		return nil, fmt.Errorf("listing whitelists: %w", err)
	}
	var further []schema.GroupVersionKind
	for i := range whitelists.Items {
		// Every whitelist says the same, but one that was made just now and says nothing yet.
		for _, text := range whitelists.Items[i].Status.CarriedKinds {
			at := strings.LastIndex(text, "/")
			if at < 0 {
				continue
			}
			if kind := schema.FromAPIVersionAndKind(text[:at], text[at+1:]); !slices.Contains(further, kind) {
				further = append(further, kind)
			}
		}
	}
	return policy.Carried(further...), nil
}

func entry(ctx context.Context, reader client.Reader, application Application) (*v1alpha1.WhitelistEntry, error) {
	var whitelists v1alpha1.MigrationWhitelistList
	if err := reader.List(ctx, &whitelists); err != nil {
		return nil, fmt.Errorf("listing whitelists: %w", err)
	}
	for i := range whitelists.Items {
		for j := range whitelists.Items[i].Spec.Entries {
			entry := &whitelists.Items[i].Spec.Entries[j]
			if entry.Namespace == application.Namespace && entry.Kind == application.Kind && entry.Name == application.Name {
				return entry, nil
			}
		}
	}
	return nil, nil
}
