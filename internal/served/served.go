// Package served waits for kinds that a control plane may lack, or be given after Argosy has started.
package served

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// interval lies between two looks in the first minutes, in which a control plane is installed; later ones are rarer.
const (
	interval  = 10 * time.Second
	early     = 30
	rareAfter = 6
)

// Wait returns once karmada-apiserver serves the kind, or the context's error when that ends first. What nobody does until then, without,
// is logged once.
func Wait(ctx context.Context, mgr manager.Manager, kind schema.GroupVersionKind, without string) error {
	told, looks := false, 0
	return wait.PollUntilContextCancel(ctx, interval, true, func(context.Context) (bool, error) {
		if looks++; looks > early && looks%rareAfter != 0 {
			return false, nil
		}
		_, err := mgr.GetRESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil && !told {
			mgr.GetLogger().Info("A kind is not served by karmada-apiserver yet", "kind", kind.GroupKind().String(), "without", without,
				"reason", err.Error())
			told = true
		}
		return err == nil, nil
	})
}
