package controller

import (
	"errors"
	"fmt"
	"net/url"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What a member's API server says no to is a refusal; a connection that broke, or a server that could not look, is none.
func TestIsAnswer(t *testing.T) {
	services := schema.GroupResource{Resource: "services"}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"an immutable field":         {err: apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "web", nil), want: true},
		"a policy of the member":     {err: apierrors.NewForbidden(services, "web", errors.New("denied")), want: true},
		"its webhook is down":        {err: apierrors.NewInternalError(errors.New("failed calling webhook")), want: true},
		"wrapped":                    {err: fmt.Errorf("trying: %w", apierrors.NewBadRequest("no")), want: true},
		"a broken connection":        {err: &url.Error{Op: "Put", URL: "https://member1", Err: errors.New("EOF")}},
		"a proxy before it":          {err: apierrors.NewGenericServerResponse(502, "put", services, "web", "bad gateway", 0, true)},
		"too busy":                   {err: apierrors.NewTooManyRequests("later", 1)},
		"it took too long":           {err: apierrors.NewTimeoutError("request did not complete", 1)},
		"it is starting":             {err: apierrors.NewServiceUnavailable("not yet")},
		"credentials have run out":   {err: apierrors.NewUnauthorized("who are you")},
		"the object is another":      {err: apierrors.NewConflict(services, "web", errors.New("it was written meanwhile"))},
		"no answer of an API server": {err: errors.New("dial tcp: connection refused")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isAnswer(tc.err); got != tc.want {
				t.Errorf("isAnswer(%v) = %v", tc.err, got)
			}
		})
	}
}
