package migration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// CutOff refuses what Karmada would answer by writing a stale manifest into the members: the deletion of a template
// or policy of an application that is cut off, and the opening of its policy.
type CutOff struct {
	Decoder admission.Decoder
}

// Handle the deletion of a template, policy or override that bears our label, or the update of such a policy.
func (c *CutOff) Handle(_ context.Context, request admission.Request) admission.Response {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(request.OldObject.Raw); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	switch request.Operation {
	case admissionv1.Update:
		return c.update(request, object)
	case admissionv1.Delete:
	default:
		return admission.Allowed("")
	}
	owner := object.GetAnnotations()[v1alpha1.AnnotationCutOff]
	if owner == "" {
		owner = object.GetAnnotations()[v1alpha1.AnnotationGuarded]
	}
	if owner == "" || object.GetAnnotations()[v1alpha1.AnnotationLeaving] != "" {
		return admission.Allowed("")
	}
	return admission.Denied(
		fmt.Sprintf(
			"%s %s belongs to an application that is cut off from the federation: deleting it would make Karmada write its stale manifest back "+
				"into the members. To remove it safely run 'argosyctl migration leave -n %s %s'; to adopt it again put it back on the whitelist",
			object.GetKind(), object.GetName(), object.GetNamespace(), application(owner)))
}

// application as argosyctl takes it, from the name of its Migration; kinds hold no dash.
func application(owner string) string { return strings.Replace(owner, "-", "/", 1) }

// update of a policy: while its application is cut off it stays suspended everywhere and preserving.
func (c *CutOff) update(request admission.Request, old *unstructured.Unstructured) admission.Response {
	owner := old.GetAnnotations()[v1alpha1.AnnotationCutOff]
	if owner == "" || old.GetAnnotations()[v1alpha1.AnnotationReferrers] != "" {
		// Of a shared object, others may have clusters open.
		return admission.Allowed("")
	}
	next := &policyv1alpha1.PropagationPolicy{}
	if err := c.Decoder.DecodeRaw(request.Object, next); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	suspension := next.Spec.Suspension
	if suspension != nil && ptr.Deref(suspension.Dispatching, false) && ptr.Deref(next.Spec.PreserveResourcesOnDeletion, false) {
		return admission.Allowed("")
	}
	return admission.Denied(
		fmt.Sprintf(
			"PropagationPolicy %s belongs to an application that is cut off from the federation: spec.suspension.dispatching and "+
				"spec.preserveResourcesOnDeletion stay true, or Karmada would write a stale manifest into the members. To adopt the application "+
				"again put it back on the whitelist: 'argosyctl migration readopt -n %s %s'",
			next.Name, next.Namespace, application(owner)))
}

// Unjoin refuses the deletion of a cluster's execution namespace while applications of a migration have Works in it.
// 'karmadactl unjoin' and the deletion of a Cluster end there; Clusters themselves are served by Karmada's aggregated
// API server, which asks no webhook.
type Unjoin struct {
	Reader client.Reader
}

// Handle the deletion of a namespace.
func (u *Unjoin) Handle(ctx context.Context, request admission.Request) admission.Response {
	cluster, err := names.GetClusterName(request.Name)
	if err != nil || request.Operation != admissionv1.Delete {
		return admission.Allowed("")
	}
	var list v1alpha1.MigrationList
	if err := u.Reader.List(ctx, &list); err != nil {
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("listing migrations: %w", err))
	}
	var there []string
	for i := range list.Items {
		if migration := &list.Items[i]; inControlPlane(migration) && runsIn(migration, cluster) {
			there = append(there, migration.Namespace+"/"+application(migration.Name))
		}
	}
	if len(there) == 0 {
		return admission.Allowed("")
	}
	more := ""
	if len(there) > 5 {
		there, more = there[:5], fmt.Sprintf(" and %d more", len(there)-5)
	}
	return admission.Denied(
		fmt.Sprintf(
			"deleting the Works of cluster %s would delete or overwrite what these applications have there: %s%s. Let them leave first: "+
				"'argosyctl migration rollback', then 'argosyctl migration leave'",
			cluster, strings.Join(there, ", "), more))
}

// inControlPlane says whether an application has, or may have, templates and Works in the control plane.
func inControlPlane(migration *v1alpha1.Migration) bool {
	switch migration.Status.Phase {
	case "", v1alpha1.PhasePending, v1alpha1.PhaseLeft:
		return false
	}
	return true
}

func runsIn(migration *v1alpha1.Migration, cluster string) bool {
	for i := range migration.Status.Clusters {
		if migration.Status.Clusters[i].Name == cluster {
			return true
		}
	}
	for i := range migration.Status.Resources {
		if slices.Contains(migration.Status.Resources[i].Clusters, cluster) {
			return true
		}
	}
	return false
}
