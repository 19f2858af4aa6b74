// Package drain lets a process end without a refused request. A Service sends new connections to a pod for some time after the
// pod was told to stop: kube-proxy on every node has to hear of it. So the process goes on serving, says that it is not ready,
// and asks its callers to come on a new connection next time; only then does it close its port.
package drain

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// Drain is one process' way out.
type Drain struct {
	Clock clock.Clock
	// Period is how long Services may take to hear that this process is not ready.
	Period time.Duration
	begun  atomic.Bool
}

// Until returns a context that ends one period after the one given.
func (d *Drain) Until(asked context.Context) context.Context {
	ctx, stop := context.WithCancel(context.WithoutCancel(asked))
	go func() {
		<-asked.Done()
		d.begun.Store(true)
		<-d.Clock.After(d.Period)
		stop()
	}()
	return ctx
}

// Ready is an error once the process was told to stop.
func (d *Drain) Ready() error {
	if d.begun.Load() {
		return errors.New("told to stop")
	}
	return nil
}

// Handler closes connections after their next answer once draining has begun.
func (d *Drain) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.begun.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
