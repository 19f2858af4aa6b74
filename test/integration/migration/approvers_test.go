package migration

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// Whoever may patch Migrations and not update them approves plans, or as CI/CD says that it released, and changes nothing
// else. By the shipped roles and registrations; the API server's own authorizer tells who is an administrator, and who approves.
func TestApproversApproveAndNoMore(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	bindRoles(t, g.config, g)
	migration := g.application(t, v1alpha1.PhaseAwaitingApproval)
	for name, tc := range map[string]struct {
		user   string
		change func(*v1alpha1.Migration)
		want   string
	}{
		"an approver approves": {user: "argosy-migration-approver", change: approved},
		"an approver lets it leave": {
			user: "argosy-migration-approver", change: leaves,
			want: "spec.afterCutOff: argosy-migration-approver may approve plans and no more: whoever has the role argosy-migration-admin can do " +
				"this",
		},
		"an approver tries it again": {
			user: "argosy-migration-approver", change: func(m *v1alpha1.Migration) { m.Spec.Attempt = 2 }, want: "spec.attempt: ",
		},
		"an approver says it is released": {user: "argosy-migration-approver", change: released, want: "spec.releasedTime: "},
		"an approver hides more in it": {
			user: "argosy-migration-approver", change: func(m *v1alpha1.Migration) { approved(m); leaves(m) }, want: "spec.afterCutOff: ",
		},
		"an approver gives it an owner": {user: "argosy-migration-approver", change: func(m *v1alpha1.Migration) {
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "gone"}}
		}, want: "metadata.ownerReferences: "},
		"an approver marks it": {
			user: "argosy-migration-approver", change: func(m *v1alpha1.Migration) { m.Labels = map[string]string{"a": "b"} },
			want: "metadata.labels: ",
		},
		"a pipeline released": {user: robot, change: released},
		"a pipeline lets it leave": {
			user: robot, change: leaves, want: "spec.afterCutOff: " + robot + " may say that it released the application and no more",
		},
		"a pipeline approves":                    {user: robot, change: approved, want: "spec.approvals: a plan is approved by people"},
		"a pipeline with a certificate released": {user: "argosy-migration-publisher", change: released},
		"a pipeline with a certificate approves": {
			user: "argosy-migration-publisher", change: approved,
			want: "spec.approvals: argosy-migration-publisher may say that it released the application and no more",
		},
		"a pipeline with a certificate lets it leave": {user: "argosy-migration-publisher", change: leaves, want: "spec.afterCutOff: "},
		"an admin lets it leave":                      {user: "argosy-migration-admin", change: leaves},
		"an admin tries it again": {
			user: "argosy-migration-admin", change: func(m *v1alpha1.Migration) { m.Spec.Attempt = 2 },
		},
		"a viewer may not even look like an approver": {user: "argosy-migration-viewer", change: approved, want: "is forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			as, err := client.New(lab.Person(g.config, tc.user, tc.user), client.Options{Scheme: kinds, Mapper: g.RESTMapper()})
			if err != nil {
				t.Fatal(err)
			}
			// The authorizer sees new bindings a moment later.
			NewWithT(t).Eventually(func() error { return as.List(t.Context(), &v1alpha1.MigrationList{}) }, machine.Patience).Should(Succeed())
			next := migration.DeepCopy()
			tc.change(next)
			refusal(t, name, as.Patch(t.Context(), next, client.MergeFrom(migration), client.DryRunAll), tc.want)
		})
	}
}

func approved(m *v1alpha1.Migration) {
	m.Spec.Approvals = append(m.Spec.Approvals, v1alpha1.Approval{PlanHash: firstPlan})
}

func leaves(m *v1alpha1.Migration) { m.Spec.AfterCutOff = v1alpha1.AfterCutOffLeave }

func released(m *v1alpha1.Migration) { m.Spec.ReleasedTime = ptr.To(metav1.Now()) }
