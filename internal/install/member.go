package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	memberManager       = "argosy-member-manager"
	memberManagerFolder = "member-manager"
)

// memberGroups are the groups whose objects Karmada carries into members.
var memberGroups = []string{"component.luojilab.com", "vm.argosy.dev"}

// MemberKinds are the kinds of Argosy's that members need.
func MemberKinds() ([]*unstructured.Unstructured, error) {
	crds, err := CRDs()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(crds, func(crd *unstructured.Unstructured) bool {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		return !slices.Contains(memberGroups, group)
	}), nil
}

// MemberUsers let people decide about virtual machines in a member.
func MemberUsers() ([]*unstructured.Unstructured, error) {
	return glob(memberManagerFolder + "/users.yaml")
}

// MemberAdmission makes a member's API server ask argosy-member-manager at a URL about what people decide there.
func MemberAdmission(url string, trust []byte) ([]*unstructured.Unstructured, error) {
	objects, err := glob(memberManagerFolder + "/webhook.yaml")
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			continue
		}
		if err := pointAt(object, url, trust); err != nil {
			return nil, fmt.Errorf("pointing %s %s at %s: %w", object.GetKind(), object.GetName(), url, err)
		}
	}
	return objects, nil
}

// MemberObjects are all that a member gets, in the order in which it is applied: kinds, namespace, rights, the program.
func MemberObjects(image string, replicas int64) ([]*unstructured.Unstructured, error) {
	out, err := MemberKinds()
	if err != nil {
		return nil, err
	}
	rights, err := Rights(MemberManager(), Account(Namespace, memberManager))
	if err != nil {
		return nil, err
	}
	program, err := glob(memberManagerFolder + "/manager.yaml")
	if err != nil {
		return nil, err
	}
	out = append(append(append(out, newObject("v1", "Namespace", "", Namespace)), rights...), program...)
	for _, object := range program {
		if object.GetKind() != "Deployment" {
			continue
		}
		containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		if err != nil || len(containers) != 1 {
			return nil, errors.Join(err, errors.New("the Deployment of argosy-member-manager has not one container"))
		}
		containers[0].(map[string]any)["image"] = image
		if err := unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			return nil, err
		}
		if err := unstructured.SetNestedField(object.Object, replicas, "spec", "replicas"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Member puts argosy-member-manager into a member, or refreshes it; out hears one line for each thing that was changed.
func Member(ctx context.Context, member *rest.Config, out io.Writer, image string, replicas int64) error {
	objects, err := MemberObjects(image, replicas)
	if err != nil {
		return err
	}
	i := &Installer{Karmada: member, Out: out}
	c, err := i.client()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := i.apply(ctx, c, object); err != nil {
			return err
		}
	}
	return nil
}

// MemberGone takes the program and its rights away. Kinds stay, with every Component and what it became: those go on running as they are.
func MemberGone(ctx context.Context, member *rest.Config, out io.Writer) error {
	i := &Installer{Karmada: member, Out: out}
	c, err := i.client()
	if err != nil {
		return err
	}
	objects, err := MemberObjects("none", 0)
	if err != nil {
		return err
	}
	for _, object := range slices.Backward(objects) {
		switch object.GetKind() {
		case "CustomResourceDefinition", "Namespace":
			continue
		}
		if err := i.remove(ctx, c, object); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes an object that bears our label.
func (i *Installer) remove(ctx context.Context, c client.Client, object *unstructured.Unstructured) error {
	err := c.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) || err == nil && object.GetLabels()[managedBy] != Manager {
		return nil
	}
	if err == nil {
		err = c.Delete(ctx, object)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s: %w", describe(object), err)
	}
	i.say("deleted  %s", describe(object))
	return nil
}
