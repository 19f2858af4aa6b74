package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// TestNextStep: a person who named the wrong API server, or none that answers, is told so in words of ours.
func TestNextStep(t *testing.T) {
	refused := &url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
	karmadas := schema.GroupVersion{Group: "config.karmada.io", Version: "v1alpha1"}
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"refused":      {refused, "see that --kubeconfig and --context"},
		"too late":     {&url.Error{Op: "Get", Err: context.DeadlineExceeded}, "see that --kubeconfig and --context"},
		"our own wait": {context.DeadlineExceeded, ""},
		"no such host": {&url.Error{Op: "Get", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}, "see that --kubeconfig and --context"},
		"a member": {
			&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "work.karmada.io", Kind: "ResourceBinding"}},
			"this API server is not a karmada-apiserver",
		},
		"a member, asked by discovery": {
			&apiutil.ErrResourceDiscoveryFailed{karmadas: &meta.NoResourceMatchError{PartialResource: karmadas.WithResource("")}},
			"this API server is not a karmada-apiserver",
		},
		"a plane without Argosy": {
			&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "release.argosy.dev", Kind: "Release"}},
			"argosyctl check says what is missing",
		},
		"another's kind": {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "apps.kruise.io", Kind: "CloneSet"}}, ""},
		"anything else":  {errors.New("deployments.apps \"web\" not found"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := nextStep(fmt.Errorf("reading: %w", tc.err))
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
