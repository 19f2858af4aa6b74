package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// FieldManager under which a release is written.
const FieldManager = policy.PublishManager

// ControlPlane is where federated objects are written.
const ControlPlane = "control plane"

// ErrChanging is returned while an application is between static management and federation: publish nowhere
// and try again shortly.
var ErrChanging = errors.New("the application is being moved between static management and federation")

// Publisher releases applications the way they are managed now.
type Publisher struct {
	// Control is karmada-apiserver.
	Control client.Client
	// Member gives a client of a member, for static releases.
	Member func(ctx context.Context, cluster string) (client.Client, error)
	Clock  clock.PassiveClock
	// DryRun has the API servers answer what a release would change, and write nothing.
	DryRun bool
	// Prune deletes what earlier releases brought and the folder no longer has; else it is only told of.
	Prune bool
}

// Result of a release.
type Result struct {
	Answer Answer
	// Written are the objects that were written, and where: ControlPlane or a cluster.
	Written []Written
	// Held are written objects that do not reach some cluster, since their policy is suspended there.
	Held []Written
	// Left are objects that earlier releases brought and the folder no longer has.
	Left []Left
}

// Written is one object that was written.
type Written struct {
	Where  string
	Object string
	// Note says what was special, such as replicas that were left alone.
	Note string
	// New is true when there was none.
	New bool
	// Changes to what was there; values of Secrets are not shown.
	Changes []v1alpha1.FieldChange
}

// changes that a release made to an object, without the bookkeeping of API servers.
func changes(before, after *unstructured.Unstructured) []v1alpha1.FieldChange {
	return slices.DeleteFunc(plan.Compare(before, after), func(change v1alpha1.FieldChange) bool {
		return change.Kind == v1alpha1.ChangeBookkeeping || strings.Contains(change.Path, partOfLabel)
	})
}

// Release a bundle. Clusters are those a static release goes to; a federated one goes where its policies say.
func (p *Publisher) Release(ctx context.Context, namespace string, bundle *Bundle, clusters []string) (Result, error) {
	if p.DryRun {
		p = p.dry()
	}
	workload, err := bundle.Workload()
	if err != nil {
		return Result{}, err
	}
	if err := bundle.within(namespace); err != nil {
		return Result{}, err
	}
	application := Application{Namespace: namespace, Kind: workload.GetKind(), Name: workload.GetName()}
	answer, err := Ask(ctx, p.Control, application)
	if err != nil {
		return Result{}, fmt.Errorf("asking who manages the application: %w", err)
	}
	kinds, err := carried(ctx, p.Control)
	if err != nil {
		return Result{Answer: answer}, err
	}
	set := setOf(application, kinds)
	result := Result{Answer: answer}
	switch answer.Management {
	case v1alpha1.ManagementChanging:
		return result, fmt.Errorf("%w (phase %s)", ErrChanging, answer.Phase)
	case v1alpha1.ManagementFederated:
		for _, cluster := range append(bundle.Clusters(), clusters...) {
			if !slices.Contains(answer.Clusters, cluster) {
				return result, fmt.Errorf("the application is federated in %s, and %s is none of them: "+
					"its policies decide where it is; nothing was published", strings.Join(answer.Clusters, ", "), cluster)
			}
		}
		if err := p.federated(ctx, application, release{set: set, bundle: bundle}, &result); err != nil {
			return result, err
		}
		return result, p.still(ctx, application, result.Answer)
	}
	if len(clusters) == 0 {
		clusters = bundle.Clusters()
	}
	if len(clusters) == 0 {
		return result, errors.New("the application is managed statically: name the clusters it is released to")
	}
	err = p.toMembers(ctx, application, release{set: set, bundle: bundle, clusters: clusters}, &result)
	return result, err
}

// toMembers releases statically.
func (p *Publisher) toMembers(ctx context.Context, application Application, static release, result *Result) error {
	if err := p.reaches(ctx, static); err != nil {
		return err
	}
	if err := p.static(ctx, static, result); err != nil {
		return err
	}
	if result.Answer.OnRelease {
		if err := p.released(ctx, application); err != nil {
			return err
		}
	}
	return p.still(ctx, application, result.Answer)
}

// dry is the same publisher, of which every write is a dry run.
func (p *Publisher) dry() *Publisher {
	member := p.Member
	out := &Publisher{Control: client.NewDryRunClient(p.Control), Clock: p.Clock, DryRun: true, Prune: p.Prune}
	out.Member = func(ctx context.Context,
		cluster string) (client.Client, error) {
		reached, err := member(ctx, cluster)
		if err != nil {
			return nil, err
		}
		return client.NewDryRunClient(reached), nil
	}
	return out
}

// still asks once more after a release: one that met the beginning of a take-over or of a cut-off went the wrong
// way, and is repeated the right one.
func (p *Publisher) still(ctx context.Context, application Application, before Answer) error {
	now, err := Ask(ctx, p.Control, application)
	if err != nil {
		return fmt.Errorf("asking who manages the application, after the release: %w", err)
	}
	if now.Management != before.Management {
		return fmt.Errorf("%w: it was %s when the release began and is %s now; release it again", ErrChanging, before.Management, now.Management)
	}
	return nil
}

// released tells a Migration with trigger OnRelease that the release it waited for is out.
func (p *Publisher) released(ctx context.Context, application Application) error {
	migration := &v1alpha1.Migration{}
	key := client.ObjectKey{Namespace: application.Namespace, Name: policy.Name(application.Kind, application.Name)}
	if err := p.Control.Get(ctx, key, migration); err != nil {
		if apierrors.IsNotFound(err) {
			return nil // the controller has not made it yet; the next release will find it
		}
		return fmt.Errorf("reading migration %s: %w", key, err)
	}
	before := migration.DeepCopy()
	now := metav1.NewTime(p.Clock.Now())
	migration.Spec.ReleasedTime = &now
	if err := p.Control.Patch(ctx, migration, client.MergeFrom(before), client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("telling migration %s of the release: %w", key, err)
	}
	return nil
}
