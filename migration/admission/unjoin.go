package admission

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/karmada-io/karmada/pkg/util/names"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
)

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
		if migration := &list.Items[i]; plan.InControlPlane(migration.Status) && runsIn(migration, cluster) {
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

func runsIn(migration *v1alpha1.Migration, cluster string) bool {
	for i := range migration.Status.Clusters {
		if migration.Status.Clusters[i].Name == cluster {
			return true
		}
	}
	for i := range migration.Status.Resources {
		if slices.Contains(migration.Status.ClustersOf(&migration.Status.Resources[i]), cluster) {
			return true
		}
	}
	return false
}
