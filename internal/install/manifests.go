package install

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/deploy"
	"github.com/argosy-dev/argosy/internal/manifest"
)

// Part is one of Argosy's programs that works against karmada-apiserver; the hourly job is one too.
type Part struct {
	// Program is its name, its account's, and that of its ClusterRole.
	Program string
	// folder of package deploy that holds its role.yaml.
	folder string
}

// ControllerManager is the program that migrations, among others, run in.
const ControllerManager = "argosy-controller-manager"

// Parts is the list of them.
func Parts() []Part {
	return []Part{
		{Program: "argosy-webhook", folder: "webhook"},
		{Program: ControllerManager, folder: "controller-manager"},
		{Program: estimator, folder: "estimator"},
		{Program: Renewer, folder: "renew"},
	}
}

// MemberManager is the program that runs in each member. The parts of the control plane are Parts.
func MemberManager() Part { return Part{Program: memberManager, folder: memberManagerFolder} }

// CRDs are Argosy's kinds.
func CRDs() ([]*unstructured.Unstructured, error) { return glob("crds/*.yaml") }

// UserRoles let those who may view or edit a namespace view or edit Argosy's objects in it.
func UserRoles() ([]*unstructured.Unstructured, error) { return glob("users/*.yaml") }

// Rights are the roles of a program as its code asks for them, bound to the subject.
func Rights(p Part, subject map[string]any) ([]*unstructured.Unstructured, error) {
	roles, err := glob(p.folder + "/role.yaml")
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, role := range roles {
		binding := newObject("rbac.authorization.k8s.io/v1", role.GetKind()+"Binding", role.GetNamespace(), role.GetName())
		binding.Object["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": role.GetKind(), "name": role.GetName()}
		binding.Object["subjects"] = []any{subject}
		out = append(out, role, binding)
	}
	return out, nil
}

// Bounds hold the estimator's account to less than its rights can say. It names that account: a program that runs as somebody
// else, as in the lab, is not bound.
func Bounds() ([]*unstructured.Unstructured, error) { return glob("estimator/policy.yaml") }

// User is a subject that proves itself by a client certificate.
func User(name string) map[string]any {
	return map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
}

// Account is a subject that proves itself by a service account's token.
func Account(namespace, name string) map[string]any {
	return map[string]any{"kind": "ServiceAccount", "namespace": namespace, "name": name}
}

// Registrations make Karmada and karmada-apiserver call the webhook at a URL such as
// https://argosy-webhook.argosy-system.svc:443. By URL and not by Service, for the Service lives in the host cluster. The guards that
// the API server evaluates itself are among them.
func Registrations(url string, trust []byte) ([]*unstructured.Unstructured, error) {
	objects, err := glob("webhook/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, object := range objects {
		switch {
		case strings.HasPrefix(object.GetKind(), "ValidatingAdmissionPolicy"):
			out = append(out, object) // the API server's own: it calls nobody
			continue
		case !strings.HasSuffix(object.GetKind(), "WebhookConfiguration"):
			continue
		}
		if err := pointAt(object, url, trust); err != nil {
			return nil, fmt.Errorf("pointing %s %s at %s: %w", object.GetKind(), object.GetName(), url, err)
		}
		out = append(out, object)
	}
	// What Karmada reflects of members' autoscalers, for FedHPA.
	status, err := glob("controller-manager/member-status.yaml")
	if err != nil {
		return nil, err
	}
	return append(out, status...), nil
}

// pointAt turns each clientConfig that names a Service into one with a URL.
func pointAt(object *unstructured.Unstructured, url string, trust []byte) error {
	webhooks, found, err := unstructured.NestedSlice(object.Object, "webhooks")
	if err != nil || !found {
		return errors.Join(err, errors.New("it has no webhooks"))
	}
	for _, item := range webhooks {
		webhook, ok := item.(map[string]any)
		if !ok {
			return errors.New("webhooks must be a list of objects")
		}
		path, _, err := unstructured.NestedString(webhook, "clientConfig", "service", "path")
		if err != nil {
			return err
		}
		webhook["clientConfig"] = map[string]any{
			"url":      strings.TrimSuffix(url, "/") + path,
			"caBundle": base64.StdEncoding.EncodeToString(trust),
		}
	}
	return unstructured.SetNestedSlice(object.Object, webhooks, "webhooks")
}

func glob(pattern string) ([]*unstructured.Unstructured, error) {
	names, err := fs.Glob(deploy.Files, pattern)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("this program carries no %s", pattern)
	}
	var out []*unstructured.Unstructured
	for _, name := range names {
		content, err := deploy.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		objects, err := manifest.Parse(content)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		out = append(out, objects...)
	}
	return out, nil
}

func newObject(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}
