package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// outage is what a command that follows something knows of the API server's silences: a server that is restarted does not end it.
type outage struct {
	out    io.Writer
	silent bool
}

// over takes what a read returned, and returns the error that ends the following. The first error of a silence is printed, and its end.
func (o *outage) over(ctx context.Context, err error) error {
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err == nil && o.silent:
		fmt.Fprintln(o.out, "karmada-apiserver answers again")
		o.silent = false
	case err != nil && !passes(err):
		return err
	case err != nil && !o.silent:
		fmt.Fprintf(o.out, "%v; asking again\n", err)
		o.silent = true
	}
	return nil
}

// passes is true of an error that the same question may not meet a minute later: no answer, or a server that is starting or busy.
func passes(err error) bool {
	if meta.IsNoMatchError(err) {
		return false
	}
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return true
	}
	code := answer.Status().Code
	return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}
