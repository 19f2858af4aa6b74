package install

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1beta1"
)

const componentsCRD = "components.component.luojilab.com"

// BetaComponents is the kind Component as a member has it that serves v1beta1 too: converted at a URL such as https://10.0.0.1:9443.
func BetaComponents(url string, trust []byte) (*unstructured.Unstructured, error) {
	objects, err := MemberKinds()
	if err != nil {
		return nil, err
	}
	if err := serveBeta(objects, map[string]any{"url": strings.TrimSuffix(url, "/") + v1beta1.ConvertPath}, trust); err != nil {
		return nil, err
	}
	return componentsIn(objects)
}

func componentsIn(objects []*unstructured.Unstructured) (*unstructured.Unstructured, error) {
	for _, object := range objects {
		if object.GetKind() == "CustomResourceDefinition" && object.GetName() == componentsCRD {
			return object, nil
		}
	}
	return nil, errors.New("this program carries no " + componentsCRD)
}

// serveBeta has the API server serve v1beta1, and ask where it is converted.
func serveBeta(objects []*unstructured.Unstructured, at map[string]any, trust []byte) error {
	crd, err := componentsIn(objects)
	if err != nil {
		return err
	}
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		return err
	}
	for _, item := range versions {
		if version, ok := item.(map[string]any); ok && version["name"] == v1beta1.GroupVersion.Version {
			version["served"] = true
		}
	}
	at["caBundle"] = base64.StdEncoding.EncodeToString(trust)
	return errors.Join(
		unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"),
		unstructured.SetNestedMap(crd.Object, map[string]any{"strategy": "Webhook", "webhook": map[string]any{
			"clientConfig": at, "conversionReviewVersions": []any{"v1"},
		}}, "spec", "conversion"),
	)
}

// endBeta has the member serve v1alpha1 alone: without the program nobody would convert, and whatever lists the version that Kubernetes
// prefers - garbage collection, the deletion of a namespace, kubectl - would fail.
func (i *Installer) endBeta(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) error {
	crd, err := componentsIn(objects)
	if err != nil {
		return err
	}
	live := newObject(crd.GetAPIVersion(), crd.GetKind(), "", crd.GetName())
	there, err := present(c.Get(ctx, client.ObjectKeyFromObject(crd), live))
	if err != nil {
		return fmt.Errorf("reading %s: %w", describe(crd), err)
	}
	if strategy, _, _ := unstructured.NestedString(live.Object, "spec", "conversion", "strategy"); !there || strategy != "Webhook" {
		return nil
	}
	return i.apply(ctx, c, crd)
}
