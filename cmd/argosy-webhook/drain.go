package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// drain lets a process end without a refused request. A Service sends new connections to a pod for some time after the pod
// was told to stop: kube-proxy on every node has to hear of it. So the process goes on serving, says that it is not ready, and
// asks its callers to come on a new connection next time; only then does it close its port.
type drain struct {
	clock  clock.Clock
	period time.Duration
	begun  atomic.Bool
}

// until returns a context that ends one period after the one given.
func (d *drain) until(asked context.Context) context.Context {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-asked.Done()
		d.begun.Store(true)
		<-d.clock.After(d.period)
		stop()
	}()
	return ctx
}

func (d *drain) ready(*http.Request) error {
	if d.begun.Load() {
		return errors.New("told to stop")
	}
	return nil
}

// handler closes connections after their next answer once draining has begun.
func (d *drain) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.begun.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
