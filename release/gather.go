package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/release/decide"
	"github.com/argosy-dev/argosy/release/hold"
)

// gather reads the world of one Release past every cache.
func (c *Controller) gather(ctx context.Context, release *v1alpha1.Release) (decide.World, *application, error) {
	world := decide.World{Now: c.Clock.Now(), Release: release}
	app, err := c.read(ctx, release)
	if err != nil {
		return world, nil, err
	}
	if app.target != nil {
		world.UnfitReason, world.Unfit = hinders(release, app.target)
	}
	if world.Unfit == "" {
		if world.UnfitReason, world.Unfit, err = c.taken(ctx, release, app.target); err != nil {
			return world, nil, err
		}
	}
	if app.target == nil {
		return world, app, nil
	}
	if world.UnfitReason == v1alpha1.ReasonKindNotStaged {
		world.Template = &decide.Template{}
		return world, app, nil
	}
	if world.Unfit == "" && len(app.missing) > 0 {
		world.UnfitReason, world.Unfit = v1alpha1.ReasonWithMissing,
			"spec.with: "+strings.Join(app.missing, ", ")+" does not exist: make it, or make the Release anew without it"
	}
	world.Template = &decide.Template{Images: manifest.Images(app.target), Marked: app.marked(release.Name),
		Bound: slices.ContainsFunc(app.objects(), hold.Bound)}
	if world.Template.Revision, world.Template.Contents, err = app.identity(); err != nil {
		return world, nil, err
	}
	if world.Template.Before, err = c.before(ctx, release, app.target); err != nil {
		return world, nil, err
	}
	if world.Overrides, err = c.passes(ctx, release, app); err != nil {
		return world, nil, err
	}
	if world.Template.Bytes, err = app.weigh(release, world.Template.Revision); err != nil {
		return world, nil, err
	}
	if world.Migrating, err = c.migrating(ctx, app.target); err != nil {
		return world, nil, err
	}
	if world.Clusters, err = c.clusters(ctx, app); err != nil {
		return world, nil, err
	}
	world.Gates = c.asked(ctx, release, world.Template.Revision)
	return world, app, nil
}

// asked are the Prometheus queries of the stage that is open.
func (c *Controller) asked(ctx context.Context, release *v1alpha1.Release, revision string) *decide.Gates {
	at := slices.IndexFunc(release.Spec.Stages, func(s v1alpha1.Stage) bool { return s.Name == release.Status.Stage })
	if at < 0 || release.Status.Revision != revision || len(release.Spec.Stages[at].Gates.Prometheus) == 0 {
		return nil
	}
	out := &decide.Gates{Stage: release.Status.Stage}
	ref := release.Spec.TargetRef
	about := prometheus.Application{Namespace: release.Namespace, Kind: ref.Kind, Name: ref.Name}
	for i := range release.Spec.Stages[at].Gates.Prometheus {
		field := fmt.Sprintf("gates.prometheus[%d]", i)
		switch unwell, err := c.Gates.Ask(ctx, &release.Spec.Stages[at].Gates.Prometheus[i], about); {
		case err != nil:
			out.Unanswered = fmt.Sprintf("%s: %v", field, err)
		case unwell != "":
			out.Unwell = fmt.Sprintf("%s: %s", field, unwell)
		}
	}
	return out
}

func (c *Controller) template(ctx context.Context, release *v1alpha1.Release) (*unstructured.Unstructured, error) {
	ref := release.Spec.TargetRef
	template := &unstructured.Unstructured{}
	template.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: release.Namespace, Name: ref.Name}, template)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
	}
	if !template.GetDeletionTimestamp().IsZero() {
		return nil, nil
	}
	return template, nil
}

// migrating is the phase of a Migration that has the application between static management and federation.
func (c *Controller) migrating(ctx context.Context, template *unstructured.Unstructured) (string, error) {
	var list migrationv1alpha1.MigrationList
	err := c.Reader.List(ctx, &list, client.InNamespace(template.GetNamespace()))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("listing Migrations: %w", err)
	}
	for i := range list.Items {
		one := &list.Items[i]
		if one.Spec.Name != template.GetName() ||
			schema.FromAPIVersionAndKind(one.Spec.APIVersion, one.Spec.Kind).GroupKind() != template.GroupVersionKind().GroupKind() {
			continue
		}
		if phase := one.Status.Phase; phase != migrationv1alpha1.PhaseFederated && phase != migrationv1alpha1.PhaseLeft {
			return string(phase), nil
		}
	}
	return "", nil
}
