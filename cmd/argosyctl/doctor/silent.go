package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/argosy-dev/argosy/interpreter/reach"
)

// Silent is a member that cannot be asked.
type Silent struct {
	Name string
	// Why it cannot, in the words of the Cluster's condition.
	Why string
}

// silentMembers reads which members cannot be asked; none on an API server without Clusters.
func (r *Reader) silentMembers(ctx context.Context) ([]Silent, error) {
	var clusters clusterv1alpha1.ClusterList
	if err := r.client.List(ctx, &clusters); err != nil && !meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("listing Clusters: %w", err)
	}
	var out []Silent
	for i := range clusters.Items {
		if why := reach.NotReady(&clusters.Items[i]); why != "" {
			out = append(out, Silent{Name: clusters.Items[i].Name, Why: why})
		}
	}
	return out, nil
}

// countedOn are the kinds whose status Karmada makes alone, so that what a member said last goes on counting. Their statuses have no place,
// or no count, for us to say so in.
var countedOn = []string{"Services", "Ingresses", "HorizontalPodAutoscalers", "CronJobs", "Pods", "PersistentVolumeClaims"}

// silent: of kinds that Argosy does not aggregate nothing in the template says that a member's part is old.
func silent(f Facts, _ time.Time) []Finding {
	var out []Finding
	for _, s := range f.Silent {
		out = append(out, Finding{Severity: Warning, Object: "Cluster/" + s.Name,
			Message: fmt.Sprintf("it cannot be asked (%s): what it said last goes on counting in the statuses of %s and of kinds of others", s.Why,
				strings.Join(countedOn, ", ")),
			Remedy: "look at the Cluster's condition Ready, and until it is back read such statuses without it " +
				"(status.aggregatedStatus of their ResourceBindings)"})
	}
	return out
}
