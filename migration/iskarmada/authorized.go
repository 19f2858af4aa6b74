package iskarmada

import (
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/internal/access"
)

// Who asks shows a token of karmada-apiserver, and may "get" the path there.
//
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Authorized lets those ask whom karmada-apiserver knows by their bearer token and lets "get" the path: HTTP 401 is no token, or one that
// it does not take, 403 no right, 503 that it did not say. It asks with the given rights; answers are kept for a minute, and a right that
// was found for five.
func Authorized(config *rest.Config, client *http.Client, log logr.Logger, handler http.Handler) (http.Handler, error) {
	guarded, err := access.Guard(config, client)
	if err != nil {
		return nil, fmt.Errorf("building the check of who asks: %w", err)
	}
	return guarded(log, handler), nil
}
