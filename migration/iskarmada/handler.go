package iskarmada

import (
	"encoding/json"
	"errors"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/argosy-dev/argosy/migration/publish"
)

// Path answers CI/CD systems that cannot link the Go package: GET with namespace, kind and name.
const Path = "/is-karmada"

// Handler serves publish.Ask over HTTP.
func Handler(reader client.Reader) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodGet {
			http.Error(out, "only GET is answered", http.StatusMethodNotAllowed)
			return
		}
		query := request.URL.Query()
		answer, err := publish.Ask(request.Context(), reader, publish.Application{
			Namespace: query.Get("namespace"), Kind: query.Get("kind"), Name: query.Get("name"),
		})
		if errors.Is(err, publish.ErrBadApplication) {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		if err != nil {
			log.FromContext(request.Context()).Error(err, "Answering isKarmada")
			http.Error(out, "the control plane does not answer: ask again; publish nowhere until it does", http.StatusServiceUnavailable)
			return
		}
		out.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(out).Encode(answer); err != nil {
			log.FromContext(request.Context()).V(1).Info("The client left before its answer", "reason", err.Error())
		}
	})
}
