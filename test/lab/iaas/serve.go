package iaas

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/utils/clock"
)

// LabToken is what the lab's machines are asked for with.
const LabToken = "lab"

// Options of Serve.
type Options struct {
	// Address to listen at, with the certificate and key of these files.
	Address, Certificate, Key string
}

// Serve the lab's IaaS until the context ends. Its table is lost then, as are all machines.
func Serve(ctx context.Context, o Options) error {
	system := &Server{Store: &Store{Clock: clock.RealClock{}, Boot: time.Second}, Token: LabToken}
	server := &http.Server{Addr: o.Address, Handler: system.lab(), ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServeTLS(o.Certificate, o.Key); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving machines: %w", err)
	}
	return nil
}

// lab adds what a person in the lab may do to the machines: look at them all, and cut the power of one.
func (s *Server) lab() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /lab/machines", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Machines()) })
	mux.HandleFunc("POST /lab/machines/{key}/cut-power", func(w http.ResponseWriter, r *http.Request) {
		if !s.Kill(r.PathValue("key")) {
			http.Error(w, "there is no such machine", http.StatusNotFound)
		}
	})
	mux.Handle("/v1/", s.Handler())
	return mux
}
