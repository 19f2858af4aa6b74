package iaas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"k8s.io/utils/clock"
)

// LabToken is what the lab's machines are asked for with.
const LabToken = "lab"

// Options of Serve.
type Options struct {
	// Address to listen at, with the certificate and key of these files.
	Address, Certificate, Key string
	// Dir is for the machines' files; empty: machines are entries of a table alone.
	Dir string
}

// errTable is said of machines that nobody asked to do anything.
var errTable = errors.New("machines are entries of a table here")

// Serve the lab's IaaS until the context ends. Its table is lost then, as are all machines. Where this host's network may not be changed
// its machines are entries of the table alone: then none can be logged into, and GET /lab/guests says why.
func Serve(ctx context.Context, o Options) error {
	system := &Server{
		Store: &Store{Clock: clock.RealClock{}, Boot: time.Second}, Balancers: &Balancers{Clock: clock.RealClock{}, Boot: time.Second},
		Token: LabToken,
	}
	why := errTable
	if o.Dir != "" {
		var yard *Yard
		if yard, why = NewYard(o.Dir); why == nil {
			system.Guests = &Guests{Yard: yard}
			defer yard.Close()
			defer system.Guests.Close()
			artifacts, err := ServeStore(yard.Host())
			if err != nil {
				return err
			}
			defer artifacts.Close()
		} else {
			fmt.Fprintln(os.Stderr, "machines are entries of a table:", why)
		}
	}
	server := &http.Server{Addr: o.Address, Handler: system.lab(why), ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServeTLS(o.Certificate, o.Key); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving machines: %w", err)
	}
	return nil
}

// ServeStore serves Artifacts at an address of this host's, until it is closed.
func ServeStore(host string) (io.Closer, error) {
	server := &http.Server{Handler: store(), ReadHeaderTimeout: time.Minute}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, StorePort))
	if err != nil {
		return nil, fmt.Errorf("serving artifacts: %w", err)
	}
	go func() { _ = server.Serve(listener) }() // until it is closed
	return server, nil
}

// lab adds what a person in the lab may do to the machines: look at them all, cut the power of one, and plug its cable out and in. why is
// why they are no guests; nil: they are.
func (s *Server) lab(why error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /lab/machines", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Machines()) })
	mux.HandleFunc("GET /lab/loadbalancers", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Balancers.List()) })
	mux.HandleFunc("GET /lab/guests", func(w http.ResponseWriter, _ *http.Request) {
		said := ""
		if why != nil {
			said = why.Error()
		}
		answer(w, http.StatusOK, said)
	})
	mux.HandleFunc("POST /lab/machines/{key}/cut-power", func(w http.ResponseWriter, r *http.Request) {
		if !s.Kill(r.PathValue("key")) {
			http.Error(w, "there is no such machine", http.StatusNotFound)
		}
	})
	for path, in := range map[string]bool{"plug-in": true, "plug-out": false} {
		mux.HandleFunc("POST /lab/machines/{key}/"+path, func(w http.ResponseWriter, r *http.Request) {
			if s.Guests == nil {
				http.Error(w, why.Error(), http.StatusNotImplemented)
			} else if err := s.Guests.Plug(r.PathValue("key"), in); err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
			}
		})
	}
	mux.Handle("/v1/", s.Handler())
	return mux
}
