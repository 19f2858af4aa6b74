package pools

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

func newRequests() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_vm_pool_requests_total",
		Help: "Requests to load balancers, by verb and result: OK, NoPool, Invalid, Unanswered.",
	}, []string{"driver", "verb", "result"})
}

func (r *Reconciler) count(driver, verb string, err error) {
	result := "Unanswered"
	switch {
	case err == nil:
		result = "OK"
	case errors.Is(err, balance.ErrNoPool):
		result = "NoPool"
	case errors.Is(err, balance.ErrInvalid):
		result = "Invalid"
	}
	r.requests.WithLabelValues(driver, verb, result).Inc()
}
