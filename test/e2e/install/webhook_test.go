package install

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// answered sends Karmada's own path: a CronHPA and the workload it scales, in the control plane.
func (r *release) answered(t *testing.T) {
	if err := demo.Apply(t.Context(), r.karmada, `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example/web:v1}]}
`); err != nil {
		t.Fatal(err)
	}
	r.started = clock.RealClock{}.Now()
	for i := range 20 {
		deployment := fmt.Sprintf("web-%d", i)
		if err := demo.Apply(t.Context(), r.karmada, strings.ReplaceAll(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: NAME}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: web, image: registry.example/web:v1}]}
---
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: CronHPA
metadata: {namespace: shop, name: NAME}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: NAME}
  successfulHistoryLimit: 10
  rules: [{name: every-minute, schedule: "* * * * *", targetReplicas: 2}]
`, "NAME", deployment)); err != nil {
			t.Fatal(err)
		}
		r.crons = append(r.crons, &autoscalingv1alpha1.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: deployment}})
	}
	if failed := r.ask(t.Context(), r.caller(t)); failed != nil {
		t.Fatalf("the webhook, through its Service: %v", failed)
	}
}

// caller is a client that trusts what karmada-apiserver was told to trust.
func (r *release) caller(t *testing.T) *http.Client {
	t.Helper()
	secret, err := r.clients.CoreV1().Secrets(namespace).Get(t.Context(), install.ServingSecret, getOptions)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(secret.Data["ca.crt"])
	return &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}
}

// ask is one InterpretReplica of Karmada's protocol.
func (r *release) ask(ctx context.Context, caller *http.Client) error {
	const question = `{"apiVersion":"config.karmada.io/v1alpha1","kind":"ResourceInterpreterContext",
"request":{"uid":"1","kind":{"group":"apps.kruise.io","version":"v1alpha1","kind":"CloneSet"},
"name":"web","namespace":"shop","operation":"InterpretReplica",
"object":{"apiVersion":"apps.kruise.io/v1alpha1","kind":"CloneSet","metadata":{"name":"web","namespace":"shop"},
"spec":{"replicas":7,"selector":{"matchLabels":{"app":"web"}},
"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web"}]}}}}}}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("https://localhost:%d/interpret", r.webhook.port),
		bytes.NewBufferString(question))
	if err != nil {
		return err
	}
	response, err := caller.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Response struct {
			Successful bool   `json:"successful"`
			Replicas   *int32 `json:"replicas"`
		} `json:"response"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if !answer.Response.Successful || answer.Response.Replicas == nil || *answer.Response.Replicas != 7 {
		return falsely("%+v", answer.Response)
	}
	return nil
}

// webhookDies kills one of two replicas: no refusal may outlast a retry.
func (r *release) webhookDies(t *testing.T) {
	conclusively(t, func() bool {
		l := startLoad(t, 3*time.Second, r.callers(r.caller(t))...)
		r.pods["argosy-webhook-0"].Kill()
		l.goesOn(t, 2000)
		conclusive := l.ends(t, "a replica was killed")
		r.startAgain(t, "argosy-webhook-0")
		return conclusive
	})
}

// webhookStops is what an upgrade or a drained node does. kube-proxy goes on sending for a while; nobody may notice.
func (r *release) webhookStops(t *testing.T) {
	conclusively(t, func() bool {
		l := startLoad(t, 0, r.callers(r.caller(t))...)
		r.stops(t, r.webhook, "argosy-webhook-0", l)
		conclusive := l.ends(t, "a replica was told to stop and ended")
		r.startAgain(t, "argosy-webhook-0")
		return conclusive
	})
}

// callers are four of Karmada's workers.
func (r *release) callers(caller *http.Client) []question {
	ask := func(ctx context.Context) error { return r.ask(ctx, caller) }
	return []question{ask, ask, ask, ask}
}

// stops tells a replica to end, and its Service only when the replica says itself that it is not ready.
func (r *release) stops(t *testing.T, s *service, name string, l *load) {
	t.Helper()
	p, ended := r.pods[name], make(chan struct{})
	go func() { p.Stop(); close(ended) }()
	g := NewWithT(t)
	g.Eventually(func(ctx context.Context) error { return ok(ctx, "http://"+p.health+"/readyz") }).WithContext(t.Context()).
		WithTimeout(machine.Patience).ShouldNot(Succeed())
	l.goesOnFor(t, 500, 2*time.Second)
	s.remove(p)
	g.Eventually(ended).WithTimeout(machine.Patience).Should(BeClosed())
	l.goesOn(t, 500)
}
