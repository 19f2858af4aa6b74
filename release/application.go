package release

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release/decide"
	"github.com/argosy-dev/argosy/release/hold"
)

// application is everything a revision names.
type application struct {
	// target is nil where it does not exist.
	target *unstructured.Unstructured
	// with are the objects that go out with the target, in the order of the spec; missing are those that do not exist.
	with    []*unstructured.Unstructured
	missing []string
	// overrides that select one of them, where overrides are held; nil where they act at once.
	overrides []override
}

// override is an OverridePolicy or a ClusterOverridePolicy, as it was when its revision was recorded.
type override struct {
	// Namespace is empty for a ClusterOverridePolicy.
	Namespace string                      `json:"namespace,omitempty"`
	Name      string                      `json:"name"`
	Spec      policyv1alpha1.OverrideSpec `json:"spec"`
}

// objects of the application: those that go out first come first.
func (a *application) objects() []*unstructured.Unstructured {
	out := slices.Clone(a.with)
	if a.target != nil {
		out = append(out, a.target)
	}
	return out
}

// identity is the revision, and the contents by object where the target alone does not say it.
func (a *application) identity() (revision string, contents map[string]string, err error) {
	target, err := hold.Revision(a.target)
	if err != nil {
		return "", nil, err
	}
	rest := map[string]string{}
	for _, object := range a.with {
		content, err := hold.Revision(object)
		if err != nil {
			return "", nil, err
		}
		rest[hold.Key(object)] = content
	}
	contents = map[string]string{hold.Key(a.target): target}
	for key, content := range rest {
		contents[key] = content
	}
	for _, one := range a.overrides {
		raw, err := json.Marshal(one.Spec)
		if err != nil {
			return "", nil, fmt.Errorf("encoding the overrides of %s: %w", one.Name, err)
		}
		rest["OverridePolicy/"+one.Namespace+"/"+one.Name] = string(raw)
	}
	if len(rest) == 0 {
		return target, nil, nil
	}
	return hold.Whole(target, rest), contents, nil
}

// marked says whether all of it bears the marks of a Release.
func (a *application) marked(release string) bool {
	return !slices.ContainsFunc(a.objects(), func(o *unstructured.Unstructured) bool { return o.GetLabels()[v1alpha1.LabelStaged] != release })
}

// read the application of a Release.
func (c *Controller) read(ctx context.Context, release *v1alpha1.Release) (*application, error) {
	target, err := c.template(ctx, release)
	if err != nil {
		return nil, err
	}
	out := &application{target: target}
	for _, ref := range release.Spec.With {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
		switch err := c.Reader.Get(ctx, client.ObjectKey{Namespace: release.Namespace, Name: ref.Name}, object); {
		case apierrors.IsNotFound(err):
			out.missing = append(out.missing, ref.Kind+" "+ref.Name)
		case err != nil:
			return nil, fmt.Errorf("reading %s %s: %w", ref.Kind, ref.Name, err)
		default:
			out.with = append(out.with, object)
		}
	}
	if release.Spec.Overrides == v1alpha1.OverridesHold {
		if out.overrides, err = overridesOf(ctx, c.Reader, release.Namespace, out.objects()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// passes are the overrides that act at once; nil where they are held. Nothing but an event depends on them: the cache, whose watch brought
// us here, knows them.
func (c *Controller) passes(ctx context.Context, release *v1alpha1.Release, app *application) (*decide.Overrides, error) {
	if release.Spec.Overrides == v1alpha1.OverridesHold {
		return nil, nil
	}
	passing, err := overridesOf(ctx, c.Client, release.Namespace, app.objects())
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(passing)
	if err != nil {
		return nil, fmt.Errorf("encoding overrides: %w", err)
	}
	out := &decide.Overrides{Hash: hold.Whole("overrides", map[string]string{"policies": string(raw)})}
	for _, one := range passing {
		kind := "OverridePolicy "
		if one.Namespace == "" {
			kind = "ClusterOverridePolicy "
		}
		out.Names = append(out.Names, kind+one.Name)
	}
	return out, nil
}

// weigh what is recorded of a revision, in bytes; zero of one that is in the history, which has it.
func (a *application) weigh(release *v1alpha1.Release, revision string) (int64, error) {
	if slices.ContainsFunc(release.Status.History, func(r v1alpha1.Revision) bool { return r.Name == revision }) {
		return 0, nil
	}
	sum := 0
	for _, object := range a.objects() {
		raw, err := hold.Record(object).MarshalJSON()
		if err != nil {
			return 0, fmt.Errorf("encoding %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		sum += len(raw)
	}
	raw, err := json.Marshal(a.overrides)
	if err != nil {
		return 0, fmt.Errorf("encoding overrides: %w", err)
	}
	return int64(sum + len(raw)), nil
}

// overridesOf objects: every policy that selects one of them, whichever cluster it is for.
func overridesOf(ctx context.Context, reader client.Reader, namespace string, objects []*unstructured.Unstructured) ([]override, error) {
	out := []override{}
	add := func(namespace, name string, spec policyv1alpha1.OverrideSpec) {
		selects := func(o *unstructured.Unstructured) bool {
			return len(spec.ResourceSelectors) == 0 || util.ResourceMatchSelectors(hold.Record(o), spec.ResourceSelectors...)
		}
		if slices.ContainsFunc(objects, selects) {
			out = append(out, override{Namespace: namespace, Name: name, Spec: spec})
		}
	}
	var everywhere policyv1alpha1.ClusterOverridePolicyList
	if err := reader.List(ctx, &everywhere); err != nil {
		return nil, fmt.Errorf("listing ClusterOverridePolicies: %w", err)
	}
	for i := range everywhere.Items {
		add("", everywhere.Items[i].Name, everywhere.Items[i].Spec)
	}
	var here policyv1alpha1.OverridePolicyList
	if err := reader.List(ctx, &here, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing OverridePolicies: %w", err)
	}
	for i := range here.Items {
		add(here.Items[i].Namespace, here.Items[i].Name, here.Items[i].Spec)
	}
	slices.SortFunc(out, func(a, b override) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// recordedOverrides shows Karmada's override manager the policies of a record in place of today's.
type recordedOverrides struct {
	client.Client
	overrides []override
}

// List policies; all else is as it is.
func (r recordedOverrides) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	switch list := list.(type) {
	case *policyv1alpha1.ClusterOverridePolicyList:
		for _, one := range r.overrides {
			if one.Namespace == "" {
				item := policyv1alpha1.ClusterOverridePolicy{Spec: one.Spec}
				item.Name = one.Name
				list.Items = append(list.Items, item)
			}
		}
		return nil
	case *policyv1alpha1.OverridePolicyList:
		for _, one := range r.overrides {
			if one.Namespace != "" {
				item := policyv1alpha1.OverridePolicy{Spec: one.Spec}
				item.Namespace, item.Name = one.Namespace, one.Name
				list.Items = append(list.Items, item)
			}
		}
		return nil
	}
	return r.Client.List(ctx, list, options...)
}
