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

	"github.com/argosy-dev/argosy/api/component/v1beta1"
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
	// Prepare leaves the program itself to somebody else, the chart: kinds, namespace, rights and admission alone.
	Prepare bool
	// ServeBeta has the member serve Components as v1beta1 too, by a webhook of the program's: whatever asks for that version, which
	// Kubernetes prefers, fails while the program is away (docs/decisions/0386).
	ServeBeta bool
	// ControllerID of a manager beside the one called default, which must be there: the program alone, under another name. Empty: default.
	ControllerID string
}

// Beside says that the options are of a manager beside the default one.
func (o MemberOptions) Beside() bool { return o.ControllerID != "" && o.ControllerID != "default" }

// name of the program's objects.
func (o MemberOptions) name() string {
	if o.Beside() {
		return memberManager + "-" + o.ControllerID
	}
	return memberManager
}

// config is the program's configuration file, beside the authority of machines.
func (o MemberOptions) config() (*unstructured.Unstructured, error) {
	content := map[string]any{"apiVersion": "config.argosy.dev/v1alpha1", "kind": "MemberManagerConfiguration"}
	data := map[string]any{}
	if o.Admission {
		content["webhook"] = map[string]any{"bindAddress": ":9443"}
	}
	if o.Beside() {
		content["controllerID"] = o.ControllerID
		content["controllers"] = map[string]any{"vm": map[string]any{"mode": "Disabled"}}
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
	out := newObject("v1", "ConfigMap", Namespace, o.name())
	out.Object["data"] = data
	return out, nil
}

// MemberObjects are all that a member gets but admission, in the order in which it is applied: kinds, namespace, rights, the program.
func MemberObjects(options MemberOptions) ([]*unstructured.Unstructured, error) {
	program, err := options.program()
	if err != nil || options.Beside() {
		return program, err
	}
	out, err := MemberKinds()
	if err != nil {
		return nil, err
	}
	rights, err := Rights(MemberManager(), Account(Namespace, memberManager))
	if err != nil {
		return nil, err
	}
	users, err := MemberUsers()
	if err != nil {
		return nil, err
	}
	return slices.Concat(out, []*unstructured.Unstructured{newObject("v1", "Namespace", "", Namespace)}, rights, users, program), nil
}

// program is the configuration, the Deployment and what is beside it; nothing where somebody else runs it.
func (o MemberOptions) program() ([]*unstructured.Unstructured, error) {
	if o.Prepare {
		return nil, nil
	}
	objects, err := glob(memberManagerFolder + "/manager.yaml")
	if err != nil {
		return nil, err
	}
	if o.Beside() {
		// The account is the default manager's, and so is what answers admission.
		objects = slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool { return object.GetName() != memberManager })
		objects = slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool { return object.GetKind() == "ServiceAccount" })
	}
	for _, object := range objects {
		if object.GetName() == memberManager && object.GetKind() != "ServiceAccount" {
			if err := o.rename(object); err != nil {
				return nil, err
			}
		}
		if object.GetKind() == "Deployment" {
			if err := o.fill(object); err != nil {
				return nil, err
			}
		}
	}
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	return append([]*unstructured.Unstructured{config}, objects...), nil
}

// rename an object of the program, and what it selects or is selected by.
func (o MemberOptions) rename(object *unstructured.Unstructured) error {
	if !o.Beside() {
		return nil
	}
	const label = "app.kubernetes.io/name"
	object.SetName(o.name())
	object.SetLabels(map[string]string{label: o.name()})
	paths := [][]string{{"spec", "selector", label}}
	if object.GetKind() == "Deployment" {
		paths = [][]string{{"spec", "selector", "matchLabels", label}, {"spec", "template", "metadata", "labels", label}}
	}
	for _, path := range paths {
		if err := unstructured.SetNestedField(object.Object, o.name(), path...); err != nil {
			return fmt.Errorf("renaming %s: %w", describe(object), err)
		}
	}
	return nil
}

// fill in the image, the replicas and, for a manager beside the default one, where its configuration is.
func (o MemberOptions) fill(deployment *unstructured.Unstructured) error {
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		return errors.Join(err, errors.New("the Deployment of argosy-member-manager has not one container"))
	}
	containers[0].(map[string]any)["image"] = o.Image
	volumes, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "volumes")
	if err != nil {
		return err
	}
	for _, item := range volumes {
		if volume, ok := item.(map[string]any); ok && volume["name"] == "config" {
			volume["configMap"] = map[string]any{"name": o.name()}
		}
	}
	return errors.Join(
		unstructured.SetNestedSlice(deployment.Object, containers, "spec", "template", "spec", "containers"),
		unstructured.SetNestedSlice(deployment.Object, volumes, "spec", "template", "spec", "volumes"),
		unstructured.SetNestedField(deployment.Object, o.Replicas, "spec", "replicas"),
	)
}

// Member puts argosy-member-manager into a member, or refreshes it; out hears one line for each thing that was changed.
func Member(ctx context.Context, member *rest.Config, out io.Writer, options MemberOptions) error {
	i := &Installer{Karmada: member, Out: out}
	c, err := i.client()
	if err != nil {
		return err
	}
	wanted, err := i.memberWanted(ctx, c, options)
	if err != nil {
		return err
	}
	// The namespace first, for what is in it.
	isNamespace := func(object *unstructured.Unstructured) bool { return object.GetKind() == "Namespace" }
	if n := slices.IndexFunc(wanted, isNamespace); n > 0 {
		wanted = slices.Concat(wanted[n:n+1], wanted[:n], wanted[n+1:])
	}
	for _, object := range wanted {
		if err := i.apply(ctx, c, object); err != nil {
			return err
		}
	}
	return nil
}

// MemberDryRun says what Member would do, one line for each thing and the fields, and does nothing: the member is asked what it would make
// of each object that is there, which needs the right to apply it.
func MemberDryRun(ctx context.Context, member *rest.Config, out io.Writer, options MemberOptions, fields Fields) error {
	i := &Installer{Karmada: member, Out: out, Rehearsal: true, Fields: fields}
	c, err := i.client()
	if err != nil {
		return err
	}
	wanted, err := i.memberWanted(ctx, c, options)
	if err != nil {
		return err
	}
	return i.wouldApply(ctx, c, wanted)
}

// memberWanted is all that a member gets, with the admission that the member's certificates of now are for.
func (i *Installer) memberWanted(ctx context.Context, c client.Client, options MemberOptions) ([]*unstructured.Unstructured, error) {
	options.Admission = !options.Beside()
	objects, err := MemberObjects(options)
	if err != nil || !options.Admission {
		return objects, err
	}
	admission, trust, err := i.memberAdmission(ctx, c)
	if err != nil {
		return nil, err
	}
	if options.ServeBeta {
		if err := serveBeta(objects, map[string]any{
			"service": map[string]any{"namespace": Namespace, "name": memberWebhook, "path": v1beta1.ConvertPath, "port": int64(443)},
		}, trust); err != nil {
			return nil, err
		}
	}
	return append(objects, admission...), nil
}

// MemberRemoval says which manager of a member goes.
type MemberRemoval struct {
	// ControllerID of a manager beside the first; empty or "default" is the first.
	ControllerID string
	// Rehearsal says what would be deleted, and deletes nothing.
	Rehearsal bool
}

// MemberGone takes the program and its rights away. Kinds stay, with every Component and what it became: those go on running as they are.
// With a controllerID it takes the manager of that name away, and nothing else.
func MemberGone(ctx context.Context, member *rest.Config, out io.Writer, removal MemberRemoval) error {
	i := &Installer{Karmada: member, Out: out, Rehearsal: removal.Rehearsal}
	c, err := i.client()
	if err != nil {
		return err
	}
	if err := i.removeManager(ctx, c, MemberOptions{ControllerID: removal.ControllerID}); err != nil {
		return err
	}
	if len(i.told) == 0 {
		i.say("nothing to delete: nothing of this argosy-member-manager is there; do --kubeconfig and --context name the member?")
	}
	return nil
}

func (i *Installer) removeManager(ctx context.Context, c client.Client, options MemberOptions) error {
	objects, err := MemberObjects(options)
	if err != nil {
		return err
	}
	if options.Beside() {
		return i.removeAll(ctx, c, objects)
	}
	admission, err := MemberAdmission("https://none", nil)
	if err != nil {
		return err
	}
	if err := i.endBeta(ctx, c, objects); err != nil {
		return err
	}
	// Admission first: the API server would ask nobody.
	objects = append(objects, newObject("v1", "Secret", Namespace, memberTLS), newObject("v1", "Secret", Namespace, memberAuthority))
	return i.removeAll(ctx, c, append(objects, admission...))
}

// removeAll but kinds and namespaces, the last first.
func (i *Installer) removeAll(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) error {
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
	i.deleted(describe(object))
	return nil
}
