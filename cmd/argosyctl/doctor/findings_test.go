package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	karmadainterpreter "github.com/karmada-io/karmada/pkg/util/interpreter"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/cmd/argosyctl/removal"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/hook"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// authority signs certificates for webhook.example.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a authority) sign(t *testing.T, name string, until time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: now.AddDate(0, -6, 0), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// template is CloneSet shop/web, with more of it as JSON.
func template(more string) *unstructured.Unstructured {
	out := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(more), &out.Object); err != nil {
		panic(err)
	}
	out.SetAPIVersion("apps.kruise.io/v1alpha1")
	out.SetKind("CloneSet")
	out.SetNamespace("shop")
	out.SetName("web")
	return out
}

// behind is a template of whose replicas fewer are updated than asked, and as many since then.
func behind(since time.Time) *unstructured.Unstructured {
	return template(fmt.Sprintf(`{"status":{"conditions":[{"type":"RolloutAsAsked","status":"False","reason":"FewerUpdated",
		"message":"asked 6 of 6 updated, 3 are: b 0 of 3","lastTransitionTime":%q}]}}`, since.Format(time.RFC3339)))
}

func autoscaler(claimed bool) autoscalingv2.HorizontalPodAutoscaler {
	out := autoscalingv2.HorizontalPodAutoscaler{}
	out.Namespace, out.Name = "shop", "web"
	out.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"}
	if claimed {
		out.Annotations = map[string]string{"propagationpolicy.karmada.io/name": "web"}
	}
	return out
}

func imageOverride(apiVersion, kind string, predicate *policyv1alpha1.ImagePredicate) Overrides {
	return Overrides{Object: "OverridePolicy/shop/mirror", Spec: policyv1alpha1.OverrideSpec{
		ResourceSelectors: []policyv1alpha1.ResourceSelector{{APIVersion: apiVersion, Kind: kind, Name: "web"}},
		OverrideRules: []policyv1alpha1.RuleWithCluster{{Overriders: policyv1alpha1.Overriders{ImageOverrider: []policyv1alpha1.ImageOverrider{
			{Predicate: predicate, Component: policyv1alpha1.Registry, Operator: policyv1alpha1.OverriderOpReplace, Value: "mirror.example"},
		}}}},
	}}
}

// healthy are the facts of an installation with nothing wrong.
func healthy(t *testing.T, a authority, leaf *x509.Certificate) Facts {
	t.Helper()
	families := interpreter.Families()
	url := "https://webhook.example/interpret"
	facts := Facts{Families: families, Endpoints: map[string]Endpoint{}}
	facts.Works = &admissionregistrationv1.MutatingWebhookConfiguration{Webhooks: []admissionregistrationv1.MutatingWebhook{{
		Name: "works.dispatch.argosy.dev", MatchConditions: []admissionregistrationv1.MatchCondition{
			{Name: "has-a-division", Expression: "true"},
		},
	}}}
	facts.Registrations = append(facts.Registrations,
		*hook.Registration(families, admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: a.pem}))
	for _, w := range facts.Registrations[0].Webhooks {
		facts.Endpoints[w.Name] = Endpoint{Host: "webhook.example", Address: "webhook.example:443", Chain: []*x509.Certificate{leaf}}
	}
	for _, f := range families {
		// A family is the versions of one kind.
		crd := apiextensionsv1.CustomResourceDefinition{}
		crd.Spec.Group, crd.Spec.Names.Kind = f.Kinds[0].Group, f.Kinds[0].Kind
		crd.Name = strings.ToLower(crd.Spec.Names.Kind) + "s." + crd.Spec.Group
		for _, kind := range f.Kinds {
			crd.Spec.Versions = append(crd.Spec.Versions, apiextensionsv1.CustomResourceDefinitionVersion{
				Name: kind.Version, Served: true, Subresources: &apiextensionsv1.CustomResourceSubresources{
					Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
				},
			})
		}
		facts.CRDs = append(facts.CRDs, crd)
	}
	return facts
}

func TestDiagnose(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	good := a.sign(t, "webhook.example", now.AddDate(0, 3, 0))
	serve := func(f *Facts, e Endpoint) {
		e.Host, e.Address = "webhook.example", "webhook.example:443"
		for name := range f.Endpoints {
			f.Endpoints[name] = e
		}
	}
	other := func(timeout *int32, rules ...configv1alpha1.RuleWithOperations) configv1alpha1.ResourceInterpreterWebhookConfiguration {
		out := configv1alpha1.ResourceInterpreterWebhookConfiguration{Webhooks: []configv1alpha1.ResourceInterpreterWebhook{{
			Name: "a.example.com", TimeoutSeconds: timeout, Rules: rules,
		}}}
		out.Name = "other"
		return out
	}
	rule := func(operation configv1alpha1.InterpreterOperation, group, kind string) configv1alpha1.RuleWithOperations {
		return configv1alpha1.RuleWithOperations{Operations: []configv1alpha1.InterpreterOperation{operation},
			Rule: configv1alpha1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1alpha1"}, Kinds: []string{kind}}}
	}
	for name, tc := range map[string]struct {
		spoil func(*Facts)
		// want is severity, check and a part of the message; empty: nothing is found.
		wantSeverity Severity
		wantCheck    string
		wantMessage  string
	}{
		"nothing is wrong": {spoil: func(*Facts) {}},
		"a member that does not answer": {
			spoil:        func(f *Facts) { f.Hosting.Unasked = map[string]string{"member1": "forbidden"} },
			wantSeverity: Warning, wantCheck: "member-manager", wantMessage: "cannot be asked: forbidden",
		},
		"a deletion that waits for a person": {
			spoil: func(f *Facts) {
				f.Hosting.Deletions = []removal.Deletion{
					{Cluster: "member1", Kind: "VMReplicaSet", Namespace: "shop", Name: "payments", Since: metav1.NewTime(now.Add(-time.Minute)),
						WaitsFor: "a person at gate removal: 3 servers", Next: "argosyctl vm approve", ByPerson: true, TemplateIsBack: true},
					{Cluster: "member1", Kind: "Server", Name: "payments-1", Since: metav1.NewTime(now.Add(-time.Minute)), WaitsFor: "its machine"},
				}
			},
			wantSeverity: Warning, wantCheck: "vm-deletion",
			wantMessage: "VMReplicaSet shop/payments was deleted 1m0s ago and waits for a person at gate removal: 3 servers; " +
				"its template was made again",
		},
		"a deletion that hangs": {
			spoil: func(f *Facts) {
				f.Hosting.Deletions = []removal.Deletion{
					{Cluster: "member1", Kind: "Server", Name: "payments-1", Since: metav1.NewTime(now.Add(-2 * time.Hour)), WaitsFor: "its machine"},
				}
			},
			wantSeverity: Warning, wantCheck: "vm-deletion", wantMessage: "was deleted 2h0m0s ago and waits for its machine",
		},
		"a descheduler beside FedHPAs": {
			spoil: func(f *Facts) {
				f.Descheduler = &Descheduler{Holder: "host-1", Renewed: now.Add(-5 * time.Second), Lasts: 15 * time.Second, FedHPAs: 3}
			},
			wantSeverity: Warning, wantCheck: "descheduler", wantMessage: "karmada-descheduler runs (host-1) beside 3 FedHPAs",
		},
		"a descheduler beside rescheduling": {
			spoil: func(f *Facts) {
				f.Descheduler = &Descheduler{Holder: "host-1", Renewed: now.Add(-5 * time.Second), Lasts: 15 * time.Second}
			},
			wantSeverity: Warning, wantCheck: "descheduler", wantMessage: "karmada-descheduler runs (host-1): beside it rescheduling moves nothing",
		},
		"a descheduler that ran once": {
			spoil: func(f *Facts) {
				f.Descheduler = &Descheduler{Holder: "host-1", Renewed: now.Add(-time.Hour), Lasts: 15 * time.Second, FedHPAs: 3}
			},
		},
		"never registered": {
			spoil:        func(f *Facts) { f.Registrations, f.Endpoints = nil, nil },
			wantSeverity: Problem, wantCheck: "registration", wantMessage: "it does not exist: Karmada never asks Argosy",
		},
		"an older registration": {
			spoil: func(f *Facts) {
				f.Registrations[0].Webhooks[0].Rules[0].Operations = f.Registrations[0].Webhooks[0].Rules[0].Operations[1:]
			},
			wantSeverity: Problem, wantCheck: "registration", wantMessage: "it does not list InterpretReplica of CloneSet.apps.kruise.io",
		},
		"a registration of before": {
			spoil: func(f *Facts) {
				rules := &f.Registrations[0].Webhooks[0].Rules[0]
				rules.Operations = append(rules.Operations, configv1alpha1.InterpreterOperationInterpretComponent)
			},
			wantSeverity: Warning, wantCheck: "components",
			wantMessage: "it answers InterpretComponent of apps.kruise.io/v1alpha1 CloneSet, apps.kruise.io/v1beta1 CloneSet: with the gate",
		},
		"components of a kind of ours by a customization": {
			spoil: func(f *Facts) {
				c := configv1alpha1.ResourceInterpreterCustomization{}
				c.Name = "stray"
				c.Spec.Target = configv1alpha1.CustomizationTarget{APIVersion: "apps.kruise.io/v1beta1", Kind: "StatefulSet"}
				c.Spec.Customizations.ComponentResource = &configv1alpha1.ComponentResourceRequirement{LuaScript: "x"}
				f.Customizations = append(f.Customizations, c)
			},
			wantSeverity: Warning, wantCheck: "components", wantMessage: "it answers InterpretComponent of apps.kruise.io/v1beta1 StatefulSet",
		},
		"more is updated than asked": {
			spoil: func(f *Facts) {
				f.Workloads = append(f.Workloads,
					template(
						`{"status":{"conditions":[{"type":"RolloutAsAsked","status":"False","reason":"MoreUpdated",`+
							`"message":"asked 1 of 6 updated, 3 are: member3 2"}]}}`))
			},
			wantSeverity: Warning, wantCheck: "rollout", wantMessage: "asked 1 of 6 updated, 3 are",
		},
		"fewer are updated, and nothing moves": {
			spoil: func(f *Facts) {
				f.Workloads = append(f.Workloads, behind(now.Add(-20*time.Minute)))
			},
			wantSeverity: Warning, wantCheck: "rollout", wantMessage: "asked 6 of 6 updated, 3 are: b 0 of 3; it has stood still for 20m0s",
		},
		"a rollout under way": {spoil: func(f *Facts) {
			f.Workloads = append(f.Workloads, behind(now.Add(-9*time.Minute)))
		}},
		"a member that cannot be asked": {
			spoil: func(f *Facts) {
				f.Silent = append(f.Silent, Silent{Name: "member2", Why: "Ready is False since 2026-11-20T10:00:00Z: ClusterNotReachable"})
			},
			wantSeverity: Warning, wantCheck: "silent-member",
			wantMessage: "what it said last goes on counting in the statuses of Services, Ingresses",
		},
		"an image override of a CloneSet": {
			spoil: func(f *Facts) {
				f.Overrides = append(f.Overrides, imageOverride("apps.kruise.io/v1alpha1", "CloneSet", nil))
			},
			wantSeverity: Problem, wantCheck: "image-override", wantMessage: "does nothing on apps.kruise.io/v1alpha1 CloneSet web",
		},
		"an image override that says where, one of a Deployment and one of a Job": {
			spoil: func(f *Facts) {
				f.Overrides = append(f.Overrides, imageOverride("apps.kruise.io/v1alpha1", "CloneSet",
					&policyv1alpha1.ImagePredicate{Path: "/spec/template/spec/containers/0/image"}),
					imageOverride("apps/v1", "Deployment", nil), imageOverride("batch/v1", "Job", nil))
			},
		},
		"an autoscaler in members": {
			spoil: func(f *Facts) {
				f.Workloads = append(f.Workloads, template(`{}`))
				f.Autoscalers = append(f.Autoscalers, autoscaler(true))
			},
			wantSeverity: Problem, wantCheck: "autoscaler", wantMessage: "members scale apps.kruise.io/v1alpha1 CloneSet web",
		},
		"an autoscaler of a Deployment in members": {
			spoil: func(f *Facts) {
				deployment := template(`{}`)
				deployment.SetAPIVersion("apps/v1")
				deployment.SetKind("Deployment")
				f.Workloads = append(f.Workloads, deployment)
				hpa := autoscaler(true)
				hpa.Spec.ScaleTargetRef.APIVersion, hpa.Spec.ScaleTargetRef.Kind = "apps/v1", "Deployment"
				f.Autoscalers = append(f.Autoscalers, hpa)
			},
			wantSeverity: Problem, wantCheck: "autoscaler", wantMessage: "members scale apps/v1 Deployment web",
		},
		"an autoscaler in members that own their replicas": {
			spoil: func(f *Facts) {
				f.Workloads = append(f.Workloads, template(`{"metadata":{"labels":{"resourcetemplate.karmada.io/retain-replicas":"true"}}}`))
				f.Autoscalers = append(f.Autoscalers, autoscaler(true))
			},
		},
		"an autoscaler in the control plane": {
			spoil: func(f *Facts) {
				f.Workloads = append(f.Workloads, template(`{}`))
				f.Autoscalers = append(f.Autoscalers, autoscaler(false))
			},
		},
		"a policy of another version": {
			spoil: func(f *Facts) {
				f.Preferred = map[schema.GroupKind]string{{Group: "apps.kruise.io", Kind: "StatefulSet"}: "v1beta1"}
				f.Propagations = append(f.Propagations, Propagation{Object: "PropagationPolicy/shop/web", Selectors: []policyv1alpha1.ResourceSelector{
					{APIVersion: "apps.kruise.io/v1alpha1", Kind: "StatefulSet", Name: "web"}, {
						APIVersion: "apps.kruise.io/v1beta1", Kind: "StatefulSet", Name: "new",
					},
				}})
			},
			wantSeverity: Problem, wantCheck: "selector", wantMessage: "watches version v1beta1",
		},
		"no admission of Works": {
			spoil:        func(f *Facts) { f.Works = nil },
			wantSeverity: Problem, wantCheck: "works", wantMessage: "it does not exist",
		},
		"an admission of Works that is passed over": {
			spoil: func(f *Facts) {
				ignore := admissionregistrationv1.Ignore
				f.Works.Webhooks[0].FailurePolicy = &ignore
			},
			wantSeverity: Warning, wantCheck: "works", wantMessage: "keeps a careful value for good",
		},
		"an admission of every Work": {
			spoil:        func(f *Facts) { f.Works.Webhooks[0].MatchConditions = nil },
			wantSeverity: Warning, wantCheck: "works", wantMessage: "every Work waits for it",
		},
		"no timeout": {
			spoil:        func(f *Facts) { f.Registrations[0].Webhooks[0].TimeoutSeconds = nil },
			wantSeverity: Problem, wantCheck: "timeout", wantMessage: "webhook cloneset.interpreter.argosy.dev has no timeoutSeconds",
		},
		"another's webhook without timeout": {
			spoil: func(f *Facts) {
				f.Registrations = append(f.Registrations, other(nil, rule("Retain", "example.com", "Thing")))
			},
			wantSeverity: Warning, wantCheck: "timeout", wantMessage: "webhook a.example.com has no timeoutSeconds",
		},
		"a second webhook": {
			spoil: func(f *Facts) {
				f.Registrations = append(f.Registrations, other(ptr.To[int32](3), rule("*", "*", "CloneSet")))
			},
			wantSeverity: Problem, wantCheck: "second-webhook",
			wantMessage: "webhook a.example.com answers InterpretReplica of apps.kruise.io/v1alpha1 CloneSet",
		},
		"a second webhook of other kinds": {
			spoil: func(f *Facts) {
				f.Registrations = append(f.Registrations, other(ptr.To[int32](3), rule("*", "apps.kruise.io", "SidecarSet")))
			},
		},
		"a customization": {
			spoil: func(f *Facts) {
				c := configv1alpha1.ResourceInterpreterCustomization{}
				c.Name = "stray"
				c.Spec.Target = configv1alpha1.CustomizationTarget{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet"}
				c.Spec.Customizations.HealthInterpretation = &configv1alpha1.HealthInterpretation{}
				f.Customizations = append(f.Customizations, c)
			},
			wantSeverity: Problem, wantCheck: "customization",
			wantMessage: "it takes InterpretHealth of apps.kruise.io/v1alpha1 CloneSet from Argosy",
		},
		"a customization of another kind": {
			spoil: func(f *Facts) {
				c := configv1alpha1.ResourceInterpreterCustomization{}
				c.Spec.Target = configv1alpha1.CustomizationTarget{APIVersion: "batch/v1", Kind: "Job"}
				c.Spec.Customizations.HealthInterpretation = &configv1alpha1.HealthInterpretation{}
				f.Customizations = append(f.Customizations, c)
			},
		},
		"an expired certificate": {
			spoil: func(f *Facts) {
				serve(f, Endpoint{Chain: []*x509.Certificate{a.sign(t, "webhook.example", now.AddDate(0, 0, -1))}})
			},
			wantSeverity: Problem, wantCheck: "certificate", wantMessage: "expired on 2026-11-20",
		},
		"a certificate that ends soon": {
			spoil: func(f *Facts) {
				serve(f, Endpoint{Chain: []*x509.Certificate{a.sign(t, "webhook.example", now.AddDate(0, 0, 5))}})
			},
			wantSeverity: Warning, wantCheck: "certificate", wantMessage: "expires in 5 days",
		},
		"a certificate of another authority": {
			spoil: func(f *Facts) {
				serve(f, Endpoint{Chain: []*x509.Certificate{stranger.sign(t, "webhook.example", now.AddDate(1, 0, 0))}})
			},
			wantSeverity: Problem, wantCheck: "certificate", wantMessage: "is not signed by caBundle",
		},
		"a certificate of another name": {
			spoil: func(f *Facts) {
				serve(f, Endpoint{Chain: []*x509.Certificate{a.sign(t, "elsewhere.example", now.AddDate(0, 3, 0))}})
			},
			wantSeverity: Problem, wantCheck: "certificate", wantMessage: "Karmada does not accept the certificate",
		},
		"no caBundle": {
			spoil: func(f *Facts) {
				for i := range f.Registrations[0].Webhooks {
					f.Registrations[0].Webhooks[i].ClientConfig.CABundle = nil
				}
			},
			wantSeverity: Problem, wantCheck: "certificate", wantMessage: "caBundle holds no certificate",
		},
		"out of reach": {
			spoil:        func(f *Facts) { serve(f, Endpoint{Err: errors.New("no such host")}) },
			wantSeverity: Warning, wantCheck: "certificate", wantMessage: "cannot be reached from here: no such host",
		},
		"nobody there": {
			spoil: func(f *Facts) {
				serve(f, Endpoint{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}})
			},
			wantSeverity: Problem, wantCheck: "certificate", wantMessage: "nobody listens at webhook.example:443",
		},
		"no status subresource": {
			spoil:        func(f *Facts) { f.CRDs[0].Spec.Versions[0].Subresources = nil },
			wantSeverity: Problem, wantCheck: "status-subresource", wantMessage: "version v1alpha1 has no status subresource",
		},
		"a kind that is not installed": {spoil: func(f *Facts) { f.CRDs = f.CRDs[1:] }},
		"one binding for two": {
			spoil: func(f *Facts) {
				f.Clashes = []Clash{
					{
						Namespace: "shop", Name: "db", Kind: "StatefulSet", Groups: []string{"apps", "apps.kruise.io"}, Binding: "db-statefulset",
						Owner: "apps",
					},
				}
			},
			wantSeverity: Problem, wantCheck: "binding-name", wantMessage: "it belongs to the one of apps, the other is not propagated",
		},
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy(t, a, good)
			tc.spoil(&facts)
			got := Diagnose(facts, now)
			if tc.wantCheck == "" {
				if len(got) > 0 {
					t.Fatalf("found %+v, want nothing", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d findings, want one of %s: %+v", len(got), tc.wantCheck, got)
			}
			f := got[0]
			if f.Severity != tc.wantSeverity || f.Check != tc.wantCheck || !strings.Contains(f.Message, tc.wantMessage) {
				t.Errorf("found %+v, want %s of %s with %q", f, tc.wantSeverity, tc.wantCheck, tc.wantMessage)
			}
			if f.Object == "" || f.Remedy == "" {
				t.Errorf("a finding without object or remedy: %+v", f)
			}
		})
	}
}

// TestListedIsKarmadas: doctor reads a rule of a registration as Karmada does, whose package it does not link (decision 0389).
func TestListedIsKarmadas(t *testing.T) {
	words := []string{"", "*", "apps", "apps.kruise.io"}
	for _, group := range words {
		for _, asked := range words {
			rule := configv1alpha1.RuleWithOperations{
				Operations: []configv1alpha1.InterpreterOperation{configv1alpha1.InterpreterOperationReviseReplica},
				Rule:       configv1alpha1.Rule{APIGroups: []string{group}, APIVersions: []string{"*"}, Kinds: []string{"CloneSet"}},
			}
			for _, operation := range []configv1alpha1.InterpreterOperation{
				configv1alpha1.InterpreterOperationReviseReplica, configv1alpha1.InterpreterOperationAll, "",
			} {
				q := question{schema.GroupVersionKind{Group: asked, Version: "v1", Kind: "CloneSet"}, operation}
				matcher := karmadainterpreter.Matcher{ObjGVK: q.kind, Operation: q.operation, Rule: rule}
				have := q.matches(&configv1alpha1.ResourceInterpreterWebhook{Rules: []configv1alpha1.RuleWithOperations{rule}})
				if want := matcher.Matches(); have != want {
					t.Errorf("group %q of a rule and %+v: %t, Karmada says %t", group, q, have, want)
				}
			}
		}
	}
}
