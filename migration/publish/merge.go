package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// applied is what server-side apply of an object would leave of a live one, by the API server's own code. There is no server to ask:
// what a cluster shall have
// is a template with the cluster's overrides, which no API server holds, and a member that is down must not stop a release.
func applied(live, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	gvk := object.GroupVersionKind()
	types := managedfields.NewDeducedTypeConverter()
	if clientgoscheme.Scheme.Recognizes(gvk) {
		types = applyconfigurations.NewTypeConverter(clientgoscheme.Scheme)
	}
	manager, err := managedfields.NewDefaultFieldManager(types, sameVersion{}, noDefaults{}, unstructuredCreater{}, gvk,
		gvk.GroupVersion(), "", nil)
	if err != nil {
		return nil, err
	}
	live = live.DeepCopy()
	policy.Own(live, nil)
	// The controller only carried into the control plane what others wrote: that it owns a field too keeps none.
	live.SetManagedFields(slices.DeleteFunc(live.GetManagedFields(),
		func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == v1alpha1.FieldManager }))
	out, err := manager.Apply(live, object, FieldManager, true)
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(out)
	if err != nil {
		return nil, err
	}
	merged := &unstructured.Unstructured{Object: content}
	merged.SetGroupVersionKind(gvk)
	return merged, nil
}

// sameVersion converts nothing: of managed fields of another version nothing is known, and what they own stays.
type sameVersion struct{}

func (sameVersion) Convert(in, _, _ any) error { return fmt.Errorf("cannot convert %T", in) }

func (sameVersion) ConvertToVersion(in runtime.Object, target runtime.GroupVersioner) (runtime.Object, error) {
	kind := in.GetObjectKind().GroupVersionKind()
	if to, ok := target.KindForGroupVersionKinds([]schema.GroupVersionKind{kind}); !ok || to != kind {
		return nil, runtime.NewNotRegisteredErrForTarget("publish", nil, target)
	}
	return in, nil
}

func (sameVersion) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

type unstructuredCreater struct{}

func (unstructuredCreater) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(kind)
	return out, nil
}

// authored rules are one cluster's differing fields, as policy.Author writes them; others are somebody's own.
func authored(rule policyv1alpha1.RuleWithCluster) (cluster string, ours bool) {
	if rule.TargetCluster == nil || len(rule.TargetCluster.ClusterNames) != 1 || rule.TargetCluster.LabelSelector != nil ||
		rule.TargetCluster.FieldSelector != nil {
		return "", false
	}
	others := rule.Overriders
	others.Plaintext = nil
	raw, err := json.Marshal(others)
	return rule.TargetCluster.ClusterNames[0], err == nil && string(raw) == "{}"
}

// rendered is a template as a cluster has it: with the fields in which it differs.
func rendered(template *unstructured.Unstructured, rules []policyv1alpha1.RuleWithCluster, cluster string) (*unstructured.Unstructured,
	error) {
	out := template.DeepCopy()
	for _, rule := range rules {
		if name, ours := authored(rule); !ours || name != cluster {
			continue
		}
		if err := patch(out, rule.Overriders.Plaintext); err != nil {
			return nil, fmt.Errorf("rendering %s for cluster %s: %w", policy.User(policy.RefOf(template)), cluster, err)
		}
	}
	return out, nil
}

func patch(object *unstructured.Unstructured, overriders []policyv1alpha1.PlaintextOverrider) error {
	operations := make([]map[string]any, 0, len(overriders))
	for _, overrider := range overriders {
		operation := map[string]any{"op": string(overrider.Operator), "path": overrider.Path}
		if len(overrider.Value.Raw) > 0 {
			operation["value"] = json.RawMessage(overrider.Value.Raw)
		}
		operations = append(operations, operation)
	}
	text, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	decoded, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return err
	}
	// The patch may rely on both maps, which Karmada's own marks make.
	for _, field := range []string{"labels", "annotations"} {
		if _, ok, _ := unstructured.NestedMap(object.Object, "metadata", field); !ok {
			if err := unstructured.SetNestedMap(object.Object, map[string]any{}, "metadata", field); err != nil {
				return err
			}
		}
	}
	raw, err := json.Marshal(object.Object)
	if err != nil {
		return err
	}
	if raw, err = decoded.Apply(raw); err != nil {
		return err
	}
	object.Object = map[string]any{}
	return object.UnmarshalJSON(raw)
}

// foreign are the rules in an override that somebody else wrote there: they stay as they are.
func foreign(rules []policyv1alpha1.RuleWithCluster) []policyv1alpha1.RuleWithCluster {
	return slices.DeleteFunc(slices.Clone(rules), func(rule policyv1alpha1.RuleWithCluster) bool {
		_, ours := authored(rule)
		return ours
	})
}

// sameRules compares them as JSON: values come back with other whitespace than they were sent with.
func sameRules(a, b []policyv1alpha1.RuleWithCluster) bool {
	plain := func(rules []policyv1alpha1.RuleWithCluster) (out any) {
		raw, err := json.Marshal(rules)
		if err != nil || json.Unmarshal(raw, &out) != nil {
			return nil
		}
		return out
	}
	return len(a) == len(b) && equality.Semantic.DeepEqual(plain(a), plain(b))
}

// held is what the control plane has of a folder's objects; nil when nobody asked.
type held map[v1alpha1.ResourceReference]heldObject

type heldObject struct {
	template *unstructured.Unstructured
	rules    []policyv1alpha1.RuleWithCluster
}

// held reads the templates and overrides of a folder's objects.
func (p *Publisher) held(ctx context.Context, set applySet, bundle *Bundle, clusters []string) (held, error) {
	out := held{}
	for _, cluster := range clusters {
		for _, object := range bundle.For(cluster) {
			ref := policy.RefOf(object)
			if _, seen := out[ref]; seen || !set.carried.Has(ref.APIVersion, ref.Kind) {
				continue
			}
			template := &unstructured.Unstructured{}
			template.SetGroupVersionKind(object.GroupVersionKind())
			err := p.Control.Get(ctx, client.ObjectKey{Namespace: set.namespace, Name: ref.Name}, template)
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("reading the template of %s: %w", policy.User(ref), err)
			}
			over := &policyv1alpha1.OverridePolicy{}
			if err := p.Control.Get(ctx, client.ObjectKey{Namespace: set.namespace, Name: policy.Name(ref.Kind, ref.Name)},
				over); client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("reading the overrides of %s: %w", policy.User(ref), err)
			}
			out[ref] = heldObject{template: template, rules: over.Spec.OverrideRules}
		}
	}
	return out, nil
}

// merge applies a folder's object to what the cluster has by the control plane, as a static release applies it to the cluster: what
// others wrote stays. The first cluster without fields of its own keeps the template what it is, so that overrides need not change
// with it.
func (h held) merge(cluster string, object *unstructured.Unstructured,
	base map[v1alpha1.ResourceReference]*unstructured.Unstructured) (*unstructured.Unstructured, error) {
	ref := policy.RefOf(object)
	existing, ok := h[ref]
	if !ok {
		return object, nil
	}
	object = object.DeepCopy()
	if policy.Divisible(ref.Kind) {
		unstructured.RemoveNestedField(object.Object, "spec", "replicas")
	}
	unstructured.RemoveNestedField(object.Object, "status")
	live, err := rendered(existing.template, existing.rules, cluster)
	if err != nil {
		return nil, fmt.Errorf("%w; nothing was published", err)
	}
	out, err := applied(live, object)
	if err != nil {
		return nil, fmt.Errorf("applying %s to its template: %w; nothing was published", policy.User(ref), err)
	}
	differs := slices.ContainsFunc(existing.rules, func(rule policyv1alpha1.RuleWithCluster) bool {
		name, ours := authored(rule)
		return ours && name == cluster
	})
	if base[ref] == nil && !differs {
		base[ref] = out
	}
	return out, nil
}

// rulesOf an override as an object, to be compared.
func rulesOf(over *policyv1alpha1.OverridePolicy) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	for _, rule := range over.Spec.OverrideRules {
		raw, err := json.Marshal(rule.Overriders)
		if err != nil {
			continue
		}
		var value any
		if name, ours := authored(rule); ours && json.Unmarshal(raw, &value) == nil {
			out.Object[name] = value
		}
	}
	return out
}
