// Package preview says beforehand whom a change of templates concerns in a member. It reads, and writes nothing.
package preview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	componentdecide "github.com/argosy-dev/argosy/member/component/decide"
	"github.com/argosy-dev/argosy/member/component/render"
	"github.com/argosy-dev/argosy/member/component/wave"
)

// change is what templates would make of one Component.
type change struct {
	component *v1alpha1.Component
	// kinds whose objects become others, come or go.
	kinds    []string
	restarts bool
	err      error
}

// Wave says on out which Components of a member the templates would change, and which of them would restart. The
// templates of files take the place of those of their names; given are values of the cluster beside those it has; where is the member's
// name.
func Wave(
	ctx context.Context, member client.Reader, templates []v1alpha1.ComponentTemplate, given map[string]string, where string, out io.Writer,
) error {
	there := &v1alpha1.ComponentTemplateList{}
	if err := member.List(ctx, there); err != nil {
		return fmt.Errorf("listing ComponentTemplates: %w", err)
	}
	components := &v1alpha1.ComponentList{}
	if err := member.List(ctx, components); err != nil {
		return fmt.Errorf("listing Components: %w", err)
	}
	stored := &corev1.ConfigMap{}
	err := member.Get(ctx, client.ObjectKey{Namespace: install.Namespace, Name: v1alpha1.ClusterValuesName}, stored)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the cluster's values: %w", err)
	}
	before, after := render.Variables(stored.Data), render.Variables{}
	maps.Copy(after, stored.Data)
	maps.Copy(after, given)

	var changes []change
	for i := range components.Items {
		c := &components.Items[i]
		if componentdecide.Unmanaged(c) {
			continue
		}
		found, err := changeOf(c, there.Items, laid(there.Items, templates), before, after)
		if err != nil {
			return err
		}
		if found.err != nil || len(found.kinds) > 0 {
			changes = append(changes, found)
		}
	}
	return printWave(out, templates, changes, len(components.Items), where)
}

// laid are the templates of a cluster once those of the files are applied.
func laid(there, files []v1alpha1.ComponentTemplate) []v1alpha1.ComponentTemplate {
	out := slices.Clone(files)
	for i := range there {
		if !slices.ContainsFunc(files, func(t v1alpha1.ComponentTemplate) bool { return t.Name == there[i].Name }) {
			out = append(out, there[i])
		}
	}
	return out
}

func changeOf(c *v1alpha1.Component, there, files []v1alpha1.ComponentTemplate, before, after render.Variables) (change, error) {
	out := change{component: c}
	old, _, err := render.Render(c, there, before)
	if err != nil {
		// It is not in place today either: whatever is wrong, the files do not bring it.
		old = nil
	}
	next, _, nextErr := render.Render(c, files, after)
	if nextErr != nil {
		if err == nil {
			out.err = nextErr
		}
		return out, nil
	}
	hashes := map[string]string{}
	for _, o := range old {
		hashes[o.Kind+" "+o.Name] = o.Hash
	}
	differs := map[string]bool{}
	for _, o := range next {
		key := o.Kind + " " + o.Name
		if hashes[key] != o.Hash {
			differs[o.Kind] = true
		}
		delete(hashes, key)
	}
	for key := range hashes {
		kind, _, _ := strings.Cut(key, " ")
		differs[kind] = true
	}
	out.kinds = slices.Sorted(maps.Keys(differs))
	out.restarts, err = wave.Restarts(old, next)
	return out, err
}

func printWave(out io.Writer, templates []v1alpha1.ComponentTemplate, changes []change, all int, where string) error {
	var names []string
	for i := range templates {
		names = append(names, templates[i].Name)
	}
	kind := "ComponentTemplate "
	if len(names) > 1 {
		kind = "ComponentTemplates "
	}
	restarting := 0
	for _, c := range changes {
		if c.restarts {
			restarting++
		}
	}
	fmt.Fprintf(out, "%s%s would change %d of %d components in %s; %d of them would restart.\n",
		kind, strings.Join(names, ", "), len(changes), all, where, restarting)
	if len(changes) == 0 {
		return nil
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.component.Namespace, b.component.Namespace), cmp.Compare(a.component.Name, b.component.Name))
	})
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tCOMPONENT\tCHANGES\tRESTARTS\tREPLICAS")
	var failed error
	for _, c := range changes {
		restarts, kinds := "no", strings.Join(c.kinds, ", ")
		switch {
		case c.err != nil:
			kinds = "does not fit"
			failed = errors.Join(failed, fmt.Errorf("component %s/%s: %w", c.component.Namespace, c.component.Name, c.err))
		case c.restarts:
			restarts = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", c.component.Namespace, c.component.Name, kinds, restarts, ptr.Deref(c.component.Spec.Replicas, 1))
	}
	return errors.Join(w.Flush(), failed)
}
