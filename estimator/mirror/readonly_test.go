package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
)

// network counts what leaves.
type network struct{ left []string }

func (n *network) RoundTrip(request *http.Request) (*http.Response, error) {
	n.left = append(n.left, request.Method+" "+request.URL.Path)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// TestNoWriteLeaves: whatever a plugin tries, and however it names the method.
func TestNoWriteLeaves(t *testing.T) {
	wire := &network{}
	transport := &readOnly{next: wire}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, "get", "MERGE"} {
		request, err := http.NewRequestWithContext(t.Context(), method, "https://member/api/v1/namespaces/shop/pods/web/binding", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transport.RoundTrip(request); !errors.Is(err, ErrWriteRefused) { //nolint:bodyclose // there is none
			t.Errorf("%s: %v, want a refusal", method, err)
		}
	}
	if len(wire.left) > 0 {
		t.Errorf("left: %v", wire.left)
	}
}

// TestWhatTheMemberLacksIsEmpty: a resource of a newer Kubernetes is answered here, and what the member serves is the member's to answer.
func TestWhatTheMemberLacksIsEmpty(t *testing.T) {
	const claims = "resource.k8s.io/v1/resourceclaims"
	ask := func(ctx context.Context, served sets.Set[string], url string) (*network, *http.Response) {
		t.Helper()
		wire := &network{}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://member/proxy"+url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&readOnly{next: wire, served: served}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		return wire, response
	}
	wire, response := ask(t.Context(), sets.New[string](), "/apis/"+claims+"?limit=500")
	var list struct{ Kind, APIVersion string }
	err := json.NewDecoder(response.Body).Decode(&list)
	if err != nil || list.Kind != "ResourceClaimList" || list.APIVersion != "resource.k8s.io/v1" {
		t.Errorf("list %+v, %v", list, err)
	}
	_ = response.Body.Close()
	if len(wire.left) > 0 {
		t.Errorf("the member was asked for what it lacks: %v", wire.left)
	}

	ctx, cancel := context.WithCancel(t.Context())
	_, response = ask(ctx, sets.New[string](), "/apis/"+claims+"?watch=true")
	cancel()
	// A watch says nothing, and ends with its caller.
	if said, err := io.ReadAll(response.Body); err != nil || len(said) > 0 {
		t.Errorf("the watch said %q, %v", said, err)
	}
	_ = response.Body.Close()

	_, response = ask(t.Context(), sets.New[string](), "/apis/"+claims+"?watch=true&sendInitialEvents=true")
	if response.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("status %d, want the one that makes a reflector list", response.StatusCode)
	}
	_ = response.Body.Close()

	for name, served := range map[string]sets.Set[string]{"served": sets.New(claims), "not known yet": nil} {
		if wire, response := ask(t.Context(), served, "/apis/"+claims); len(wire.left) != 1 || !strings.HasSuffix(wire.left[0], claims) {
			t.Errorf("%s: left %v", name, wire.left)
			_ = response.Body.Close()
		}
	}
}
