package hook

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// running answers with revisions of a template.
type running func() ([]*unstructured.Unstructured, error)

func (r running) Running(context.Context, *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	return r()
}

func configured(name string) string {
	return strings.Replace(cloneSet, `"spec":{`, `"spec":{"template":{"spec":{"containers":[{"name":"main","envFrom":[
		{"configMapRef":{"name":"`+name+`"}},{"configMapRef":{"name":"common"}}]}]}},`, 1)
}

// TestDependenciesOfAllThatRuns: while clusters are held, Karmada must not take from them what only their revision names.
func TestDependenciesOfAllThatRuns(t *testing.T) {
	old := &unstructured.Unstructured{}
	if err := old.UnmarshalJSON([]byte(configured("web-1"))); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		revisions  Revisions
		want       []string
		wantStatus int32
	}{
		"nobody knows revisions": {nil, []string{"common", "web-2"}, 0},
		"complete":               {running(func() ([]*unstructured.Unstructured, error) { return nil, nil }), []string{"common", "web-2"}, 0},
		"held": {running(func() ([]*unstructured.Unstructured, error) { return []*unstructured.Unstructured{old}, nil }),
			[]string{"common", "web-2", "web-1"}, 0},
		"unreadable": {running(func() ([]*unstructured.Unstructured, error) { return nil, errors.New("no record") }), nil,
			http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, dividerFunc(noBinding))
			h.Revisions = tc.revisions
			response := ask(t, h, contextOf("InterpretDependency", configured("web-2"), ""))
			var got []string
			for _, dependency := range response.Dependencies {
				got = append(got, dependency.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("dependencies (-want +got):\n%s", diff)
			}
			if tc.wantStatus != 0 && (response.Successful || response.Status.Code != tc.wantStatus) {
				t.Errorf("answer %+v, want it refused with %d", response, tc.wantStatus)
			}
		})
	}
}
