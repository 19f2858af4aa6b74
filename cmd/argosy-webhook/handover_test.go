package main

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/certificates"
)

// bundle is a reader whose registration trusts this.
type bundle struct {
	client.Reader
	pem     []byte
	missing bool
	err     error
}

func (b *bundle) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if b.err != nil || b.missing {
		return b.err
	}
	list.(*configv1alpha1.ResourceInterpreterWebhookConfigurationList).Items = []configv1alpha1.ResourceInterpreterWebhookConfiguration{
		{ObjectMeta: metav1.ObjectMeta{Name: "another's"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "argosy"}, Webhooks: []configv1alpha1.ResourceInterpreterWebhook{
			{ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: b.pem}},
		}},
	}
	return nil
}

// rig is a handover in the middle of its life: it serves old, and the files hold something newer.
type rig struct {
	*handover
	clock     *testingclock.FakeClock
	bundle    *bundle
	now       *tls.Certificate
	old, next certificates.Authority
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{clock: testingclock.NewFakeClock(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))}
	var err error
	if r.old, _, err = certificates.EnsureAuthority(certificates.Authority{}, r.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if r.next, _, err = certificates.EnsureAuthority(certificates.Authority{}, r.clock.Now()); err != nil {
		t.Fatal(err)
	}
	r.bundle = &bundle{pem: r.old.Trust}
	r.handover = &handover{
		clock: r.clock, reader: r.bundle, newest: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.now, nil },
	}
	r.write(t, r.old)
	r.look(t.Context())
	return r
}

// write a new certificate of this authority to the files.
func (r *rig) write(t *testing.T, authority certificates.Authority) {
	t.Helper()
	pair, _, err := certificates.EnsureServing(certificates.Pair{}, authority, []string{"localhost"}, r.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	r.now = &certificate
}

// fresh tells whether what the files hold is served after so many looks.
func (r *rig) fresh(t *testing.T, looks int) bool {
	t.Helper()
	for range looks {
		r.look(t.Context())
	}
	served, err := r.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return served == r.now
}

func TestHandover(t *testing.T) {
	const settled = 2
	for name, tc := range map[string]struct {
		change func(*testing.T, *rig)
		want   bool
	}{
		"the first":                     {func(*testing.T, *rig) {}, true},
		"renewed by the same authority": {func(t *testing.T, r *rig) { r.write(t, r.old) }, true},
		"of an authority nobody trusts": {func(t *testing.T, r *rig) { r.write(t, r.next) }, false},
		"of an authority that is trusted": {
			func(t *testing.T, r *rig) { r.write(t, r.next); r.bundle.pem = append(r.next.Trust, r.old.Trust...) }, true,
		},
		"the one before has ended": {func(t *testing.T, r *rig) {
			r.clock.Step(certificates.ServingLife + time.Hour)
			r.write(t, r.next)
		}, true},
		"karmada-apiserver is away": {func(t *testing.T, r *rig) { r.write(t, r.old); r.bundle.err = errors.New("away") }, false},
		"away, and the one before has ended": {func(t *testing.T, r *rig) {
			r.clock.Step(certificates.ServingLife + time.Hour)
			r.write(t, r.old)
			r.bundle.err = errors.New("away")
		}, true},
		"nobody is told to call":     {func(t *testing.T, r *rig) { r.write(t, r.next); r.bundle.missing = true }, true},
		"a bundle that is no bundle": {func(t *testing.T, r *rig) { r.write(t, r.next); r.bundle.pem = []byte("none") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tc.change(t, r)
			if got := r.fresh(t, settled); got != tc.want {
				t.Errorf("the newest is served: %t, want %t", got, tc.want)
			}
		})
	}
}

// TestHandoverWaitsForWatches: what has just been published is not known to every caller in the same instant.
func TestHandoverWaitsForWatches(t *testing.T) {
	r := newRig(t)
	r.write(t, r.next)
	r.bundle.pem = append(r.next.Trust, r.old.Trust...)
	if r.fresh(t, 1) {
		t.Error("served at the first look that found it trusted")
	}
	if !r.fresh(t, 1) {
		t.Error("not served at the second")
	}
}

func TestAConnectionBeforeTheFirstLook(t *testing.T) {
	r := newRig(t)
	r.handover = &handover{newest: r.newest}
	if !r.fresh(t, 0) {
		t.Error("another certificate than the files hold")
	}
}
