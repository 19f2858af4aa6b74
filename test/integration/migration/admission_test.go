package migration

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	migrations "github.com/argosy-dev/argosy/migration/admission"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// guarded is an API server that asks the handlers of migration, by the registrations that are shipped.
type guarded struct {
	client.Client
	server *lab.APIServer
	config *rest.Config
	// kubeconfig is a file that reaches it, for programs.
	kubeconfig string
	hooks      *httptest.Server
	warned     *warnings
}

// warnings the API server sent.
type warnings struct {
	mu   sync.Mutex
	said []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	server, err := lab.NewAPIServer(t.Context(), lab.KarmadaPlane())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	g := &guarded{server: server, config: rest.CopyConfig(server.Config), kubeconfig: server.Kubeconfig, warned: &warnings{}}
	g.config.WarningHandler = g.warned
	if err := lab.GrantPeople(t.Context(), g.config); err != nil {
		t.Fatal(err)
	}
	if g.Client, err = client.New(g.config, client.Options{Scheme: kinds}); err != nil {
		t.Fatal(err)
	}
	decoder := admission.NewDecoder(kinds)
	mux := http.NewServeMux()
	for path, handler := range map[string]admission.Handler{
		migrations.ApprovalPath:   &migrations.Approvals{Decoder: decoder, Clock: clock.RealClock{}},
		migrations.MigrationPath:  &migrations.Migrations{Decoder: decoder},
		migrations.ApproversPath:  migrations.Approvers(),
		migrations.PublishersPath: migrations.Publishers(),
		migrations.WhitelistPath:  &migrations.WhitelistChecks{Decoder: decoder, Reader: g.Client},
		migrations.CutOffPath:     &migrations.CutOff{Decoder: decoder},
		migrations.UnjoinPath:     &migrations.Unjoin{Reader: g.Client},
		migrations.DispatchedPath: &migrations.Dispatched{Decoder: decoder, Reader: g.Client},
	} {
		mux.Handle(path, &admission.Webhook{Handler: handler})
	}
	g.hooks = httptest.NewTLSServer(mux)
	t.Cleanup(g.hooks.Close)
	trust := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.hooks.Certificate().Raw})
	objects, err := install.Registrations(g.hooks.URL, trust)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetName() != "argosy-migration" {
			continue
		}
		lab.WaitLonger(object)
		if err := g.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// as another person who may approve.
func (g *guarded) as(t *testing.T, user string) client.Client {
	t.Helper()
	out, err := client.New(lab.Person(g.config, user, lab.Approver), client.Options{Scheme: kinds, Mapper: g.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// application shop/deployment/web with a plan, in a phase.
func (g *guarded) application(t *testing.T, phase v1alpha1.Phase) *v1alpha1.Migration {
	t.Helper()
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	if err := g.Create(t.Context(), home); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	out := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	out.Spec.WorkloadReference = entry("web").WorkloadReference
	// A registration takes a moment to be in force; until then nothing is asked, so what is asked first waits for it.
	for {
		trial := out.DeepCopy()
		trial.Name = "by-hand"
		err := g.Create(t.Context(), trial, client.DryRunAll)
		if err != nil && strings.Contains(err.Error(), "is named deployment-web") {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	if err := g.Create(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	out.Status.Phase, out.Status.Plan = phase, &v1alpha1.Plan{Hash: firstPlan, Purpose: v1alpha1.PlanTakeOver, Time: metav1.Now()}
	out.Status.Clusters = []v1alpha1.ClusterStatus{{Name: "member1", State: v1alpha1.ClusterSuspended}}
	if err := g.Status().Update(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func refusal(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want a refusal with %q", what, err, want)
	}
}

const (
	firstPlan  = "1111111111111111"
	secondPlan = "2222222222222222"
)

func TestApprovals(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	migration := g.application(t, v1alpha1.PhaseAwaitingApproval)
	approve := func(user, hash, inTheNameOf string) error {
		before := migration.DeepCopy()
		migration.Spec.Approvals = append(migration.Spec.Approvals, v1alpha1.Approval{PlanHash: hash, User: inTheNameOf})
		err := g.as(t, user).Patch(t.Context(), migration, client.MergeFrom(before))
		if err != nil {
			migration = before
		}
		return err
	}
	// Stamps are another registration's than refusals: it too takes a moment to be in force.
	NewWithT(t).Eventually(func() (string, error) {
		trial := migration.DeepCopy()
		trial.Spec.Approvals = []v1alpha1.Approval{{PlanHash: firstPlan, User: "bob"}}
		err := g.as(t, "alice").Patch(t.Context(), trial, client.MergeFrom(migration), client.DryRunAll)
		return trial.Spec.Approvals[0].User, err
	}, machine.Patience).Should(Equal("alice"))
	refusal(t, "alice approves, as bob", approve("alice", firstPlan, "bob"), "")
	if got := migration.Spec.Approvals[0]; got.User != "alice" || got.Time == nil {
		t.Errorf("stamped with %+v, want alice and the time", got)
	}
	refusal(t, "alice approves again", approve("alice", firstPlan, ""), "alice has approved plan "+firstPlan+" already: another person must")
	refusal(t, "a program approves", approve(robot, firstPlan, ""), "approved by people")
	withdrawn := migration.DeepCopy()
	withdrawn.Spec.Approvals = nil
	both := migration.DeepCopy()
	both.Spec.Approvals = append(both.Spec.Approvals, v1alpha1.Approval{PlanHash: firstPlan, Decision: v1alpha1.DecisionReject, Reason: "no"})
	alice, before := g.as(t, "alice"), client.MergeFrom(migration)
	refusal(t, "alice rejects what she approved", alice.Patch(t.Context(), both.DeepCopy(), before, client.DryRunAll),
		"alice has decided about plan "+firstPlan+" already: take that back")
	both.Spec.Approvals = both.Spec.Approvals[1:]
	refusal(t, "alice rejects instead", alice.Patch(t.Context(), both.DeepCopy(), before, client.DryRunAll), "")
	both.Spec.Approvals[0].Reason = ""
	refusal(t, "a rejection without a reason", alice.Patch(t.Context(), both, before, client.DryRunAll),
		"a rejection needs a reason")
	refusal(t, "bob withdraws alice's", g.as(t, "bob").Patch(t.Context(), withdrawn, client.MergeFrom(migration)), "only alice can withdraw")

	// A release makes another plan: alice's approval counts for nothing, and bob cannot approve what he read before.
	migration.Status.Plan.Hash = secondPlan
	if err := g.Status().Update(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	refusal(t, "bob approves the plan of before", approve("bob", firstPlan, ""), "is not the current one, which is "+secondPlan)
	refusal(t, "bob approves the plan of now", approve("bob", secondPlan, ""), "")
	if got := plan.Approvers(migration.Spec.Approvals, secondPlan, plan.ApprovalsSince(migration.Status)); len(got) != 1 || got[0] != "bob" {
		t.Errorf("the new plan is approved by %v, want bob alone", got)
	}
	migration.Status.Plan.Harmful = 1
	if err := g.Status().Update(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	refusal(t, "carol approves a harmful plan", approve("carol", secondPlan, ""), "would change 1 fields in members and cannot be approved")
	refusal(t, "the record is deleted", g.Delete(t.Context(), migration), "its record cannot be deleted")
}

func TestWhatIsCutOffStays(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.application(t, v1alpha1.PhaseCutOff)
	meta := func(name string, annotations map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: "shop", Name: name, Annotations: annotations, Labels: map[string]string{v1alpha1.LabelManagedBy: "deployment-web"},
		}
	}
	cutOff := map[string]string{v1alpha1.AnnotationCutOff: "deployment-web"}
	const remedy = "argosyctl migration leave -n shop deployment/web"
	for name, tc := range map[string]struct {
		object client.Object
		want   string
	}{
		"a template": {object: &corev1.ConfigMap{ObjectMeta: meta("cut-off", cutOff)}, want: remedy},
		"while leave is read": {
			object: &corev1.ConfigMap{ObjectMeta: meta("guarded", map[string]string{v1alpha1.AnnotationGuarded: "deployment-web"})}, want: remedy,
		},
		"a policy":        {object: suspended(meta("cut-off", cutOff)), want: remedy},
		"a federated one": {object: &corev1.ConfigMap{ObjectMeta: meta("federated", nil)}},
		"by its leave plan": {
			object: &corev1.ConfigMap{
				ObjectMeta: meta("leaving", map[string]string{v1alpha1.AnnotationCutOff: "x", v1alpha1.AnnotationLeaving: "x"}),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := g.Create(t.Context(), tc.object); err != nil {
				t.Fatal(err)
			}
			refusal(t, "deletion", g.Delete(t.Context(), tc.object), tc.want)
		})
	}
	refusal(t, "deletion of all", g.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace("shop")), remedy)

	opened := suspended(meta("cut-off", cutOff))
	if err := g.Get(t.Context(), client.ObjectKeyFromObject(opened), opened); err != nil {
		t.Fatal(err)
	}
	closed := opened.DeepCopy()
	opened.Spec.Suspension = nil
	refusal(t, "opening its policy", g.Patch(t.Context(), opened, client.MergeFrom(closed)),
		"argosyctl migration readopt -n shop deployment/web")
	unpreserved := closed.DeepCopy()
	unpreserved.Spec.PreserveResourcesOnDeletion = ptr.To(false)
	refusal(t, "letting it delete", g.Patch(t.Context(), unpreserved, client.MergeFrom(closed)), "stay true")

	// A rollback never needs the webhook.
	g.hooks.Close()
	still := closed.DeepCopy()
	still.Spec.Priority = ptr.To[int32](7)
	refusal(t, "an edit that leaves it closed, the webhook down", g.Patch(t.Context(), still, client.MergeFrom(closed)), "")
	refusal(t, "deletion, the webhook down", g.Delete(t.Context(), still), "failed calling webhook")
}

func suspended(meta metav1.ObjectMeta) *policyv1alpha1.PropagationPolicy {
	out := &policyv1alpha1.PropagationPolicy{ObjectMeta: meta}
	out.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: "v1", Kind: "ConfigMap", Name: "cut-off"}}
	out.Spec.Suspension = &policyv1alpha1.Suspension{Dispatching: ptr.To(true)}
	out.Spec.PreserveResourcesOnDeletion = ptr.To(true)
	return out
}

// Unjoining a cluster ends with the deletion of its execution namespace.
func TestUnjoinWaitsForApplications(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	migration := g.application(t, v1alpha1.PhaseFederated)
	for name, want := range map[string]string{
		"karmada-es-member1": "shop/deployment/web", "karmada-es-member2": "", "elsewhere": "",
	} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := g.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		refusal(t, "deletion of "+name, g.Delete(t.Context(), namespace), want)
	}
	migration.Status.Phase = v1alpha1.PhaseLeft
	if err := g.Status().Update(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	refusal(t, "deletion once it left", g.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "karmada-es-member1"}}),
		"")
}

func TestWhitelistEditsAreChecked(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.application(t, v1alpha1.PhaseFederated)
	web := entry("web")
	web.Namespace = "shop"
	create := func(name string, entries ...v1alpha1.WhitelistEntry) (*v1alpha1.MigrationWhitelist, error) {
		out := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: name}}
		out.Spec.Entries = entries
		return out, g.Create(t.Context(), out)
	}
	job := web
	job.APIVersion, job.Kind = "batch/v1", "Job"
	_, err := create("jobs", job)
	refusal(t, "a Job", err, "spec.entries[0] (shop/web Job): batch/v1 Job cannot be migrated: supported are")
	all, err := create("all", web)
	refusal(t, "the first list", err, "")
	_, err = create("more", web)
	refusal(t, "a second list", err, "whitelist all lists it already")
	frozen := all.DeepCopy()
	frozen.Spec.Strategy.FreezeWindows = []gatev1alpha1.FreezeWindow{
		{Name: "n", Days: []gatev1alpha1.Weekday{"Monday"}, From: "01:00", To: "02:00", TimeZone: "Mars/North"},
	}
	refusal(t, "a zone that is none", g.Patch(t.Context(), frozen, client.MergeFrom(all)), "Europe/Berlin")
	narrowed := all.DeepCopy()
	narrowed.Spec.Entries[0].Clusters = []string{"member2"}
	refusal(t, "a federated entry is changed", g.Patch(t.Context(), narrowed, client.MergeFrom(all)),
		"its entry can be taken off, not changed")
	refusal(t, "the list is deleted", g.Delete(t.Context(), all), "take them off first")
	emptied := all.DeepCopy()
	emptied.Spec.Entries = nil
	refusal(t, "all are taken off", g.Patch(context.WithoutCancel(t.Context()), emptied, client.MergeFrom(all)), "")
	if said := strings.Join(g.warned.said, "\n"); !strings.Contains(said, "Deployment shop/web is taken off: it will be cut off") {
		t.Errorf("warned of %q", said)
	}
	refusal(t, "the empty list is deleted", g.Delete(t.Context(), emptied), "")
}
