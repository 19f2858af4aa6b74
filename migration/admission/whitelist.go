package admission

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/migration/policy"
)

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
			return admission.Denied(fmt.Sprintf(
				"deleting the whitelist would cut off its %d applications at once: take them off first (spec.entries)", n))
		}
		return admission.Allowed("")
	}
	whitelist, old, err := decode[v1alpha1.MigrationWhitelist](w.Decoder, request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	for i, window := range whitelist.Spec.Strategy.FreezeWindows {
		if err := gate.CheckWindow(window); err != nil {
			return admission.Denied(fmt.Sprintf("spec.strategy.freezeWindows[%d].%v", i, err))
		}
	}
	others, err := w.others(ctx, whitelist)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if others.differs != "" {
		return admission.Denied(others.differs)
	}
	for i := range whitelist.Spec.Entries {
		entry := &whitelist.Spec.Entries[i]
		if why, err := w.entry(ctx, entry, entryLike(old, entry), others.lists); err != nil {
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

// others are the other whitelists.
type others struct {
	// lists names the whitelist of each entry.
	lists map[string]string
	// differs says why an order cannot be one list; empty when it can.
	differs string
}

func (w *WhitelistChecks) others(ctx context.Context, self *v1alpha1.MigrationWhitelist) (others, error) {
	var list v1alpha1.MigrationWhitelistList
	if err := w.Reader.List(ctx, &list); err != nil {
		return others{}, fmt.Errorf("listing whitelists: %w", err)
	}
	out := others{lists: map[string]string{}}
	for i := range list.Items {
		other := &list.Items[i]
		if other.Name == self.Name {
			continue
		}
		for j := range other.Spec.Entries {
			out.lists[entryKey(&other.Spec.Entries[j])] = other.Name
		}
		if self.Spec.Order != "" && self.Spec.Order == other.Spec.Order &&
			!slices.Equal(self.Spec.Strategy.BatchWeights, other.Spec.Strategy.BatchWeights) {
			out.differs = fmt.Sprintf(
				"spec.strategy.batchWeights: %v, and those of whitelist %s, which is of order %s too, are %v: one order has one division into "+
					"batches. To change it, take spec.order off all but one, change that, and put them back",
				self.Spec.Strategy.BatchWeights, other.Name, other.Spec.Order, other.Spec.Strategy.BatchWeights)
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
