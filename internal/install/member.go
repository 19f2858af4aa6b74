package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
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

// MemberOptions are what a platform says of a member.
type MemberOptions struct {
	Image    string
	Replicas int64
	// MachinesURL is where the machine driver http makes machines; empty: there is no such driver.
	MachinesURL string
	// MachinesCA verifies it, as PEM; empty: the image's own roots.
	MachinesCA []byte
	// Admission says that the program serves admission: its certificate is beside it.
	Admission bool
}

// config is the program's configuration file, beside the authority of machines.
func (o MemberOptions) config() (*unstructured.Unstructured, error) {
	content := map[string]any{"apiVersion": "config.argosy.dev/v1alpha1", "kind": "MemberManagerConfiguration"}
	data := map[string]any{}
	if o.Admission {
		content["webhook"] = map[string]any{"bindAddress": ":9443"}
	}
	if o.MachinesURL != "" {
		driver := map[string]any{"url": o.MachinesURL}
		if len(o.MachinesCA) > 0 {
			driver["caFile"] = "/etc/argosy-member-manager/config/machines-ca.crt"
			data["machines-ca.crt"] = string(o.MachinesCA)
		}
		content["machines"] = map[string]any{"http": driver}
	}
	text, err := yaml.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("writing the configuration of %s: %w", memberManager, err)
	}
	data["config.yaml"] = string(text)
	out := newObject("v1", "ConfigMap", Namespace, memberManager)
	out.Object["data"] = data
	return out, nil
}

// MemberObjects are all that a member gets but admission, in the order in which it is applied: kinds, namespace, rights, the program.
func MemberObjects(options MemberOptions) ([]*unstructured.Unstructured, error) {
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
	users, err := MemberUsers()
	if err != nil {
		return nil, err
	}
	config, err := options.config()
	if err != nil {
		return nil, err
	}
	out = slices.Concat(out, []*unstructured.Unstructured{newObject("v1", "Namespace", "", Namespace)}, rights, users,
		[]*unstructured.Unstructured{config}, program)
	for _, object := range program {
		if object.GetKind() != "Deployment" {
			continue
		}
		containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		if err != nil || len(containers) != 1 {
			return nil, errors.Join(err, errors.New("the Deployment of argosy-member-manager has not one container"))
		}
		containers[0].(map[string]any)["image"] = options.Image
		if err := unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			return nil, err
		}
		if err := unstructured.SetNestedField(object.Object, options.Replicas, "spec", "replicas"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Member puts argosy-member-manager into a member, or refreshes it; out hears one line for each thing that was changed.
func Member(ctx context.Context, member *rest.Config, out io.Writer, options MemberOptions) error {
	options.Admission = true
	objects, err := MemberObjects(options)
	if err != nil {
		return err
	}
	i := &Installer{Karmada: member, Out: out}
	c, err := i.client()
	if err != nil {
		return err
	}
	for n, object := range objects {
		if object.GetKind() != "Namespace" {
			continue
		}
		if err := i.apply(ctx, c, object); err != nil {
			return err
		}
		objects = slices.Delete(objects, n, n+1)
		break
	}
	admission, err := i.memberAdmission(ctx, c)
	if err != nil {
		return err
	}
	for _, object := range append(objects, admission...) {
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
	objects, err := MemberObjects(MemberOptions{})
	if err != nil {
		return err
	}
	admission, err := MemberAdmission("https://none", nil)
	if err != nil {
		return err
	}
	// Admission first: the API server would ask nobody.
	objects = append(objects, newObject("v1", "Secret", Namespace, memberTLS), newObject("v1", "Secret", Namespace, memberAuthority))
	for _, object := range slices.Backward(append(objects, admission...)) {
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
