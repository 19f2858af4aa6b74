package access

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
)

// apiServer answers TokenReviews and SubjectAccessReviews as Kubernetes does: for a token that it cannot verify with an error.
func apiServer(t *testing.T) *rest.Config {
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, request *http.Request) {
		var answer any
		switch {
		case strings.HasSuffix(request.URL.Path, "/tokenreviews"):
			review := &authenticationv1.TokenReview{}
			if err := json.NewDecoder(request.Body).Decode(review); err != nil {
				t.Error(err)
			}
			switch review.Spec.Token {
			case "publisher", "nobody":
				who := authenticationv1.UserInfo{Username: review.Spec.Token}
				review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: who}
			case "outage":
				http.Error(out, "etcd is away", http.StatusBadGateway)
				return
			default:
				review.Status.Error = "invalid bearer token"
			}
			answer = review
		case strings.HasSuffix(request.URL.Path, "/subjectaccessreviews"):
			review := &authorizationv1.SubjectAccessReview{}
			if err := json.NewDecoder(request.Body).Decode(review); err != nil {
				t.Error(err)
			}
			asked := review.Spec.NonResourceAttributes
			review.Status.Allowed = review.Spec.User == "publisher" && asked.Verb == "get" && asked.Path == "/is-karmada"
			answer = review
		}
		out.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(out).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL}
	config.ContentType = "application/json"
	return config
}

// Each answer says whose fault it is: a token that is not taken is the asker's, and no failure of the server.
func TestFilter(t *testing.T) {
	filter, err := Filter(apiServer(t), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := filter(logr.Discard(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		authorization, path string
		want                int
		says                string
	}{
		"who may ask":       {authorization: "Bearer publisher", path: "/is-karmada", want: http.StatusOK},
		"written otherwise": {authorization: "bearer   publisher ", path: "/is-karmada", want: http.StatusOK},
		"another path": {
			authorization: "Bearer publisher", path: "/metrics", want: http.StatusForbidden, says: "publisher may not get /metrics",
		},
		"without the right":   {authorization: "Bearer nobody", path: "/is-karmada", want: http.StatusForbidden, says: "nobody may not get"},
		"no token":            {path: "/is-karmada", want: http.StatusUnauthorized, says: "is needed"},
		"a password":          {authorization: "Basic cHVibGlzaGVy", path: "/is-karmada", want: http.StatusUnauthorized, says: "is needed"},
		"an empty token":      {authorization: "Bearer ", path: "/is-karmada", want: http.StatusUnauthorized, says: "is needed"},
		"a refused token":     {authorization: "Bearer of-elsewhere", path: "/is-karmada", want: http.StatusUnauthorized, says: "not taken"},
		"nobody can tell now": {authorization: "Bearer outage", path: "/is-karmada", want: http.StatusServiceUnavailable, says: "ask again"},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, nil)
			if tc.authorization != "" {
				request.Header.Set("Authorization", tc.authorization)
			}
			out := httptest.NewRecorder()
			guarded.ServeHTTP(out, request)
			if out.Code != tc.want || !strings.Contains(out.Body.String(), tc.says) {
				t.Errorf("HTTP %d: %s, want %d and %q", out.Code, out.Body, tc.want, tc.says)
			}
			if challenged := out.Header().Get("WWW-Authenticate") != ""; challenged != (tc.want == http.StatusUnauthorized) {
				t.Errorf("challenged: %v", challenged)
			}
		})
	}
}
