// Package access lets those ask a program over HTTP whom an API server knows by their bearer token, and lets "get" the path.
package access

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// How long answers of the API server are kept, and how long one may take.
const (
	knownFor   = time.Minute
	allowedFor = 5 * time.Minute
	deniedFor  = 30 * time.Second
	within     = 10 * time.Second
)

// Guard answers HTTP 401 where there is no token, or one that the API server does not take, 403 where the right is missing, and 503 where
// the API server did not say. It is controller-runtime's filters.WithAuthenticationAndAuthorization, which calls a refused token a
// failure of the server's own.
func Guard(config *rest.Config, client *http.Client) (func(logr.Logger, http.Handler) http.Handler, error) {
	reviews, err := authenticationclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("building a client of TokenReviews: %w", err)
	}
	rights, err := authorizationclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("building a client of SubjectAccessReviews: %w", err)
	}
	allowed, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: rights, AllowCacheTTL: allowedFor, DenyCacheTTL: deniedFor,
		WebhookRetryBackoff: &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 5},
	}.New()
	if err != nil {
		return nil, fmt.Errorf("building the check of rights: %w", err)
	}
	known := cache.New(reviewer{reviews: reviews.TokenReviews()}, false, knownFor, knownFor)
	return func(log logr.Logger, handler http.Handler) http.Handler {
		return &guard{known: known, allowed: allowed, log: log, handler: handler}
	}, nil
}

// Filter is Guard as a manager's metrics take it.
func Filter(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	guarded, err := Guard(config, client)
	if err != nil {
		return nil, err
	}
	return func(log logr.Logger, handler http.Handler) (http.Handler, error) { return guarded(log, handler), nil }, nil
}

// reviewer asks the API server whose a token is. One that it does not take is nobody's, for whatever reason: so answers an API server.
type reviewer struct {
	reviews authenticationclient.TokenReviewInterface
}

func (r reviewer) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	review, err := r.reviews.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}},
		metav1.CreateOptions{})
	if err != nil || !review.Status.Authenticated {
		return nil, false, err
	}
	who := review.Status.User
	extra := make(map[string][]string, len(who.Extra))
	for key, values := range who.Extra {
		extra[key] = values
	}
	return &authenticator.Response{User: &user.DefaultInfo{Name: who.Username, UID: who.UID, Groups: who.Groups, Extra: extra}}, true, nil
}

// guard stands before a handler.
type guard struct {
	known   authenticator.Token
	allowed authorizer.Authorizer
	log     logr.Logger
	handler http.Handler
}

func (g *guard) ServeHTTP(out http.ResponseWriter, request *http.Request) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(request.Header.Get("Authorization")), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "bearer") {
		unauthorized(out, "a bearer token is needed")
		return
	}
	who, known, err := g.known.AuthenticateToken(request.Context(), token)
	switch {
	case err != nil:
		g.log.Error(err, "Asking whose a token is")
		http.Error(out, "whose the token is could not be found out: ask again", http.StatusServiceUnavailable)
		return
	case !known:
		unauthorized(out, "the token is not taken")
		return
	}
	decision, reason, err := g.allowed.Authorize(request.Context(), authorizer.AttributesRecord{
		User: who.User, Verb: strings.ToLower(request.Method), Path: request.URL.Path,
	})
	switch {
	case err != nil:
		g.log.Error(err, "Asking what somebody may", "user", who.User.GetName())
		http.Error(out, "whether "+who.User.GetName()+" may ask could not be found out: ask again", http.StatusServiceUnavailable)
	case decision != authorizer.DecisionAllow:
		g.log.V(1).Info("Denied", "user", who.User.GetName(), "reason", reason)
		http.Error(out, who.User.GetName()+" may not "+strings.ToLower(request.Method)+" "+request.URL.Path, http.StatusForbidden)
	default:
		g.handler.ServeHTTP(out, request)
	}
}

func unauthorized(out http.ResponseWriter, why string) {
	out.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(out, why, http.StatusUnauthorized)
}
