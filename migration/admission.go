package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Paths of the admission handlers.
const (
	ApprovalPath  = "/mutate-migration"
	MigrationPath = "/validate-migration"
	WhitelistPath = "/validate-migrationwhitelist"
	CutOffPath    = "/validate-cut-off"
	UnjoinPath    = "/validate-unjoin"
	// ApproversPath and PublishersPath are asked about updates by those who are no administrators.
	ApproversPath  = "/validate-approvers"
	PublishersPath = "/validate-publishers"
	// DispatchedPath is asked about bindings and Works.
	DispatchedPath = "/validate-dispatched"
)

// Approvals stamps each new approval with the request's own user and time: nobody approves in another's name.
type Approvals struct {
	Decoder admission.Decoder
	Clock   clock.PassiveClock
}

// Handle a create or update of a Migration.
func (a *Approvals) Handle(_ context.Context, request admission.Request) admission.Response {
	migration, old, err := decode[v1alpha1.Migration](a.Decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	var before []v1alpha1.Approval
	if old != nil {
		before = old.Spec.Approvals
	}
	now := metav1.NewTime(a.Clock.Now())
	for _, i := range gate.Added(before, migration.Spec.Approvals) {
		migration.Spec.Approvals[i].User, migration.Spec.Approvals[i].Time = request.UserInfo.Username, &now
	}
	raw, err := json.Marshal(migration)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, raw)
}

// Migrations checks who approves what, and that no record of a federated application is thrown away.
type Migrations struct {
	Decoder admission.Decoder
}

// Handle a create, update or deletion of a Migration.
func (m *Migrations) Handle(_ context.Context, request admission.Request) admission.Response {
	if request.Operation == admissionv1.Delete {
		old := &v1alpha1.Migration{}
		if err := m.Decoder.DecodeRaw(request.OldObject, old); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		switch old.Status.Phase {
		case "", v1alpha1.PhasePending, v1alpha1.PhaseLeft:
			return admission.Allowed("")
		}
		return admission.Denied(
			fmt.Sprintf("the application is %s: its record cannot be deleted; take it off the whitelist and run 'argosyctl migration leave' first",
				old.Status.Phase))
	}
	migration, old, err := decode[v1alpha1.Migration](m.Decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if old == nil {
		if want := policy.Name(migration.Spec.Kind, migration.Spec.Name); migration.Name != want {
			return admission.Denied(
				fmt.Sprintf("metadata.name: the Migration of %s %s is named %s, and the controller makes it: put the workload on a MigrationWhitelist",
					migration.Spec.Kind, migration.Spec.Name, want))
		}
		if len(migration.Spec.Approvals) > 0 {
			return admission.Denied("spec.approvals: there is no plan yet that could be approved")
		}
		return admission.Allowed("")
	}
	if why := approvals(migration, old, request.UserInfo.Username); why != "" {
		return admission.Denied("spec.approvals: " + why)
	}
	return admission.Allowed("")
}

// approvals says what is wrong with an edit of the approvals by a user.
func approvals(migration, old *v1alpha1.Migration, user string) string {
	hash := ""
	if old.Status.Plan != nil {
		hash = old.Status.Plan.Hash
	}
	for _, i := range gate.Added(migration.Spec.Approvals, old.Spec.Approvals) {
		if gone := old.Spec.Approvals[i]; gone.User != user && gone.PlanHash == hash {
			return fmt.Sprintf("only %s can withdraw their own approval", gone.User)
		}
	}
	since := plan.ApprovalsSince(old.Status)
	for _, i := range gate.Added(old.Spec.Approvals, migration.Spec.Approvals) {
		approval := migration.Spec.Approvals[i]
		switch {
		case gate.IsProgram(user):
			return gate.ByPeople(planApproved, user)
		case hash == "":
			return "there is no plan yet that could be approved"
		case approval.PlanHash != hash:
			return fmt.Sprintf("plan %s is not the current one, which is %s: read it with 'argosyctl migration plan' and approve that",
				approval.PlanHash, hash)
		case old.Status.Plan.Harmful > 0:
			return fmt.Sprintf("plan %s would change %d fields in members and cannot be approved", hash, old.Status.Plan.Harmful)
		}
		for _, have := range old.Spec.Approvals {
			if have.User == user && have.PlanHash == hash && have.Time != nil && have.Time.After(since) {
				return fmt.Sprintf("%s has approved plan %s already: another person must", user, hash)
			}
		}
	}
	return ""
}

// WhitelistChecks are the rules of a whitelist beyond its schema.
type WhitelistChecks struct {
	Decoder admission.Decoder
	Reader  client.Reader
}

// Handle a create, update or deletion of a whitelist.
func (w *WhitelistChecks) Handle(ctx context.Context, request admission.Request) admission.Response {
	if request.Operation == admissionv1.Delete {
		old := &v1alpha1.MigrationWhitelist{}
		if err := w.Decoder.DecodeRaw(request.OldObject, old); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if n := len(old.Spec.Entries); n > 0 {
			return admission.Denied(fmt.Sprintf("deleting the whitelist would cut off its %d applications at once: take them off first", n))
		}
		return admission.Allowed("")
	}
	whitelist, old, err := decode[v1alpha1.MigrationWhitelist](w.Decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	for i, window := range whitelist.Spec.Strategy.FreezeWindows {
		if err := plan.CheckWindow(window); err != nil {
			return admission.Denied(fmt.Sprintf("spec.strategy.freezeWindows[%d].%v", i, err))
		}
	}
	others, err := w.others(ctx, whitelist.Name)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		if why, err := w.entry(ctx, entry, entryLike(old, entry), others); err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		} else if why != "" {
			return admission.Denied(fmt.Sprintf("spec.entries[%d] (%s/%s %s): %s", i, entry.Namespace, entry.Name, entry.Kind, why))
		}
	}
	return admission.Allowed("").WithWarnings(cutOffs(whitelist, old)...)
}

// entry says what is wrong with one entry.
func (w *WhitelistChecks) entry(ctx context.Context, entry, old *v1alpha1.WhitelistEntry, others map[string]string) (string, error) {
	if old == nil && !policy.Supported(entry.APIVersion, entry.Kind) {
		return fmt.Sprintf(
			"%s %s cannot be migrated: supported are Deployment, StatefulSet and DaemonSet of apps, and CloneSet, StatefulSet and DaemonSet of "+
				"apps.kruise.io", entry.APIVersion, entry.Kind), nil
	}
	if other := others[entryKey(entry)]; other != "" {
		return "whitelist " + other + " lists it already", nil
	}
	if old != nil && equality.Semantic.DeepEqual(old, entry) {
		return "", nil
	}
	migration := &v1alpha1.Migration{}
	key := client.ObjectKey{Namespace: entry.Namespace, Name: policy.Name(entry.Kind, entry.Name)}
	if err := w.Reader.Get(ctx, key, migration); err != nil {
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		return "", fmt.Errorf("reading migration %s: %w", key, err)
	}
	if migration.Spec.WorkloadReference != entry.WorkloadReference {
		return fmt.Sprintf("its Migration is for apiVersion %s: use that, or let it leave and delete the Migration first",
			migration.Spec.APIVersion), nil
	}
	switch migration.Status.Phase {
	case v1alpha1.PhaseOpening, v1alpha1.PhaseSoaking, v1alpha1.PhaseFederated:
		if old != nil {
			return fmt.Sprintf("it is %s: its entry can be taken off, not changed", migration.Status.Phase), nil
		}
	}
	return "", nil
}

// others are the entries of other whitelists, with the name of each.
func (w *WhitelistChecks) others(ctx context.Context, self string) (map[string]string, error) {
	var list v1alpha1.MigrationWhitelistList
	if err := w.Reader.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing whitelists: %w", err)
	}
	out := map[string]string{}
	for i := range list.Items {
		if list.Items[i].Name == self {
			continue
		}
		for j := range list.Items[i].Spec.Entries {
			out[entryKey(&list.Items[i].Spec.Entries[j])] = list.Items[i].Name
		}
	}
	return out, nil
}

func entryKey(entry *v1alpha1.WhitelistEntry) string {
	return entry.Namespace + "/" + entry.Kind + "/" + entry.Name
}

func entryLike(whitelist *v1alpha1.MigrationWhitelist, like *v1alpha1.WhitelistEntry) *v1alpha1.WhitelistEntry {
	if whitelist == nil {
		return nil
	}
	for i := range whitelist.Spec.Entries {
		if entryKey(&whitelist.Spec.Entries[i]) == entryKey(like) {
			return &whitelist.Spec.Entries[i]
		}
	}
	return nil
}

// cutOffs warns whoever takes applications off of what follows.
func cutOffs(whitelist, old *v1alpha1.MigrationWhitelist) []string {
	if old == nil {
		return nil
	}
	var warnings []string
	for i := range old.Spec.Entries {
		if entry := &old.Spec.Entries[i]; entryLike(whitelist, entry) == nil {
			warnings = append(warnings, fmt.Sprintf("%s %s/%s is taken off: it will be cut off from the federation; nothing is deleted", entry.Kind,
				entry.Namespace, entry.Name))
		}
	}
	return warnings
}

// decode the object of a request, and what it was before; nil on create.
func decode[T any, P interface {
	*T
	client.Object
}](decoder admission.Decoder, request admission.Request) (object, old P, err error) {
	object = P(new(T))
	if err := decoder.Decode(request, object); err != nil {
		return nil, nil, err
	}
	if request.Operation != admissionv1.Update {
		return object, nil, nil
	}
	old = P(new(T))
	if err := decoder.DecodeRaw(request.OldObject, old); err != nil {
		return nil, nil, err
	}
	return object, old, nil
}
