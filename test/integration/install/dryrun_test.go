package install

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	argosy "github.com/argosy-dev/argosy/internal/install"
)

// dryRun is what a whole dry run says, line by line.
func (p *planes) dryRun(t *testing.T) []string {
	t.Helper()
	return p.rehearsed(t, func(installer *argosy.Installer) error { return installer.DryRun(t.Context(), true, true) })
}

// rehearsedUninstall is what uninstall --dry-run would delete.
func (p *planes) rehearsedUninstall(t *testing.T) []string {
	t.Helper()
	return p.rehearsed(t, func(installer *argosy.Installer) error {
		installer.Rehearsal = true
		return installer.Uninstall(t.Context())
	})
}

// rehearsed is what is said, line by line. Nothing may be another for it, in neither cluster.
func (p *planes) rehearsed(t *testing.T, rehearse func(*argosy.Installer) error) []string {
	t.Helper()
	state := func() map[string]string {
		out := p.versions(t)
		secrets, err := p.secrets.CoreV1().Secrets(hostNamespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets.Items {
			out["Secret "+s.Name] = s.ResourceVersion
		}
		return out
	}
	before := state()
	installer := p.installer()
	var said strings.Builder
	installer.Out, installer.Fields = io.Writer(&said), rules
	if err := rehearse(installer); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("a dry run changed (-before +after):\n%s", diff)
	}
	return strings.Split(strings.TrimSuffix(said.String(), "\n"), "\n")
}

// rules are what a dry run shows here of two states of a role, and labels of others too.
func rules(before, after map[string]any) (string, error) {
	count := func(object map[string]any) int {
		found, _, err := unstructured.NestedSlice(object, "rules")
		if err != nil {
			return -1
		}
		return len(found)
	}
	labels := func(object map[string]any) int {
		found, _, err := unstructured.NestedMap(object, "metadata", "labels")
		if err != nil {
			return -1
		}
		return len(found)
	}
	return fmt.Sprintf("  rules %d to %d\n  labels %d to %d\n", count(before), count(after), labels(before), labels(after)), nil
}

func (p *planes) dryRunAtFirst(t *testing.T) {
	said := p.dryRun(t)
	for _, want := range []string{
		"would create  CustomResourceDefinition cronhpas.autoscaling.argosy.dev",
		"would create  Namespace argosy-system",
		"would create  ServiceAccount argosy-system/argosy-controller-manager",
		"would create  Secret argosy-system/argosy-webhook-kubeconfig of the host cluster, with a new token",
		"would create  ResourceInterpreterWebhookConfiguration argosy",
	} {
		if !slices.Contains(said, want) {
			t.Errorf("not said: %s", want)
		}
	}
	all := strings.Join(said, "\n")
	if !strings.Contains(all, "would make    certificate authority: ") || strings.Contains(all, "would change") {
		t.Errorf("said of a control plane that never met Argosy:\n%s", all)
	}
}

// dryRunLater: where all is as it should be only tokens are new; a right taken away, a label taken off, and a role too much are told.
func (p *planes) dryRunLater(t *testing.T) {
	tokens := func(line string) bool { return strings.HasSuffix(line, ", with a new token") }
	if said := slices.DeleteFunc(p.dryRun(t), tokens); len(said) > 0 {
		t.Errorf("nothing differs, and said is:\n%s", strings.Join(said, "\n"))
	}
	role := &rbacv1.ClusterRole{}
	if err := p.objects.Get(t.Context(), client.ObjectKey{Name: "argosy-webhook"}, role); err != nil {
		t.Fatal(err)
	}
	whole := role.DeepCopy()
	role.Rules = role.Rules[:1]
	stray := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{
		Name: "argosy-of-before", Labels: map[string]string{"app.kubernetes.io/managed-by": "argosy-install"},
	}}
	if err := p.objects.Update(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	if err := p.objects.Create(t.Context(), stray); err != nil {
		t.Fatal(err)
	}
	view := &rbacv1.ClusterRole{}
	if err := p.objects.Get(t.Context(), client.ObjectKey{Name: "argosy-view"}, view); err != nil {
		t.Fatal(err)
	}
	marked := len(view.Labels)
	delete(view.Labels, "rbac.authorization.k8s.io/aggregate-to-view")
	if err := p.objects.Update(t.Context(), view); err != nil || len(view.Labels) == marked {
		t.Fatalf("taking off the label by which admins see Argosy's kinds: %v, %v", view.Labels, err)
	}
	want := []string{
		"would change  ClusterRole argosy-view",
		fmt.Sprintf("  rules %d to %d", len(view.Rules), len(view.Rules)), fmt.Sprintf("  labels %d to %d", marked-1, marked),
		"would change  ClusterRole argosy-webhook",
		fmt.Sprintf("  rules 1 to %d", len(whole.Rules)), fmt.Sprintf("  labels %d to %d", len(whole.Labels), len(whole.Labels)),
		"would delete  ClusterRole argosy-of-before",
	}
	if diff := cmp.Diff(want, slices.DeleteFunc(p.dryRun(t), tokens)); diff != "" {
		t.Errorf("(-want +said)\n%s", diff)
	}
	p.install(t)
	var after rbacv1.ClusterRole
	if err := p.objects.Get(t.Context(), client.ObjectKey{Name: "argosy-webhook"}, &after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole.Rules, after.Rules); diff != "" {
		t.Errorf("installed again (-before +after)\n%s", diff)
	}
}
