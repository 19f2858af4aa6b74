package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/karmada-io/karmada/pkg/util/names"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// Descheduler is what karmada-descheduler's Lease says of it.
type Descheduler struct {
	Holder  string
	Renewed time.Time
	// Lasts is how long it counts as running without a renewal.
	Lasts time.Duration
	// FedHPAs is how many workloads it would meet.
	FedHPAs int
}

// descheduler reads whether karmada-descheduler runs, and beside how many FedHPAs; nil where it never did.
func (r *Reader) descheduler(ctx context.Context) (*Descheduler, error) {
	var lease coordinationv1.Lease
	err := r.client.Get(ctx, types.NamespacedName{Namespace: names.NamespaceKarmadaSystem, Name: names.KarmadaDeschedulerComponentName},
		&lease)
	if apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the Lease of %s: %w", names.KarmadaDeschedulerComponentName, err)
	}
	var feds autoscalingv1alpha1.FedHPAList
	err = r.client.List(ctx, &feds, client.Limit(500))
	if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("listing FedHPAs: %w", err)
	}
	return &Descheduler{
		Holder: ptr.Deref(lease.Spec.HolderIdentity, ""), Renewed: ptr.Deref(lease.Spec.RenewTime, metav1.MicroTime{}).Time,
		Lasts: time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 15)) * time.Second, FedHPAs: len(feds.Items),
	}, nil
}

// deschedulers lower counts in a scheduling result because pods wait. Where a FedHPA writes those results, it moves such pods itself, and
// puts theirs right; rescheduling does nothing beside one.
func deschedulers(f Facts, now time.Time) []Finding {
	d := f.Descheduler
	if d == nil || d.Holder == "" || now.Sub(d.Renewed) > d.Lasts {
		return nil
	}
	message := fmt.Sprintf("karmada-descheduler runs (%s): beside it rescheduling moves nothing", d.Holder)
	if d.FedHPAs > 0 {
		message = fmt.Sprintf("karmada-descheduler runs (%s) beside %d FedHPAs: it lowers counts that they put right again, "+
			"and rescheduling moves nothing", d.Holder, d.FedHPAs)
	}
	return []Finding{{Severity: Warning, Object: "Lease/" + names.NamespaceKarmadaSystem + "/" + names.KarmadaDeschedulerComponentName,
		Message: message,
		Remedy:  "keep karmada-descheduler off: rescheduling moves what waits, and a FedHPA by its limits"}}
}
