package reschedule

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/karmada-io/karmada/pkg/util/names"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// leaseFresh is how long one look at the Lease serves.
const leaseFresh = 5 * time.Second

// descheduler knows whether karmada-descheduler runs.
type descheduler struct {
	mu     sync.Mutex
	looked time.Time
	holder string
}

// running names its holder while the Lease is fresh, and for as long again: one that is restarted is back soon.
func (d *descheduler) running(ctx context.Context, reader client.Reader, clk clock.Clock) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := clk.Now()
	if age := now.Sub(d.looked); age >= 0 && age < leaseFresh {
		return d.holder, nil
	}
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: names.NamespaceKarmadaSystem, Name: names.KarmadaDeschedulerComponentName}
	if err := reader.Get(ctx, key, lease); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("reading Lease %s: %w", key, err)
	} else if apierrors.IsNotFound(err) {
		d.looked, d.holder = now, ""
		return "", nil
	}
	d.looked, d.holder = now, ""
	lasts := 2 * time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 15)) * time.Second
	if now.Sub(ptr.Deref(lease.Spec.RenewTime, metav1.MicroTime{}).Time) < lasts {
		d.holder = ptr.Deref(lease.Spec.HolderIdentity, "")
	}
	return d.holder, nil
}
