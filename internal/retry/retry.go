// Package retry says how soon the controllers try again what failed.
package retry

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Limiter tries again soon, and after a long outage of karmada-apiserver half a minute late at most. controller-runtime's own
// would be a quarter of an hour late.
func Limiter() workqueue.TypedRateLimiter[reconcile.Request] { return LimiterOf[reconcile.Request]() }

// LimiterOf is the same for controllers whose requests are of a kind of their own.
func LimiterOf[Request comparable]() workqueue.TypedRateLimiter[Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[Request](100*time.Millisecond, 30*time.Second)
}
