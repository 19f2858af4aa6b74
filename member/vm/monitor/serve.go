package monitor

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Path below which the discovery is served.
const Path = "/sd/"

// patience until the cache is filled: a process that just started knows of nobody, which is not that there is nobody.
const patience = 5 * time.Second

// Handler of Path; servers reads Servers, from a cache.
func Handler(servers client.Reader) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"{namespace}/{set}", func(w http.ResponseWriter, r *http.Request) {
		namespace, set := r.PathValue("namespace"), r.PathValue("set")
		if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(set)) > 0 {
			http.Error(w, Path+"NAMESPACE/SET is asked for by the name of a namespace and of a VMReplicaSet", http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		list := &v1alpha1.ServerList{}
		err := servers.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelSet: set})
		if err != nil {
			// Prometheus keeps the targets it had: an empty list would take them all away.
			log.FromContext(r.Context()).Error(err, "Listing Servers for a monitoring system")
			http.Error(w, "the Servers are not known at this time", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(Targets(list.Items, r.URL.Query().Get("template"))); err != nil {
			log.FromContext(r.Context()).V(1).Info("A monitoring system went away", "reason", err.Error())
		}
	})
	return mux
}
