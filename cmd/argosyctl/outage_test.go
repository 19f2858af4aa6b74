package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Who follows is told of a silence once, and of its end; what does not pass by itself ends the following.
func TestOutage(t *testing.T) {
	releases := schema.GroupResource{Group: "release.argosy.dev", Resource: "releases"}
	var out strings.Builder
	silence := outage{out: &out}
	for _, passing := range []error{
		errors.New("connection refused"), errors.New("EOF"), fmt.Errorf("reading: %w", apierrors.NewServiceUnavailable("starting")),
		apierrors.NewTooManyRequests("busy", 1), apierrors.NewInternalError(errors.New("etcd has no leader")), nil, nil, errors.New("EOF"),
	} {
		if err := silence.over(t.Context(), passing); err != nil {
			t.Errorf("%v ended it: %v", passing, err)
		}
	}
	if want := "connection refused; asking again\nkarmada-apiserver answers again\nEOF; asking again\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := silence.over(ended, errors.New("client rate limiter: context canceled")); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever has seen enough is told %v", err)
	}
	for _, lasting := range []error{
		apierrors.NewNotFound(releases, "web"), fmt.Errorf("reading: %w", apierrors.NewForbidden(releases, "web", nil)),
		apierrors.NewUnauthorized("expired"), &meta.NoKindMatchError{},
	} {
		if err := silence.over(t.Context(), lasting); !errors.Is(err, lasting) {
			t.Errorf("%v did not end it: %v", lasting, err)
		}
	}
}
