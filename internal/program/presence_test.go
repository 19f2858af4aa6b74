package program

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/internal/config"
)

// TestPresence: who elects no leader takes the Lease over without waiting, renews it while it lives, and gives it back, but not another's.
func TestPresence(t *testing.T) {
	election := config.LeaderElection{Namespace: "argosy-system", Name: "argosy-controller-manager", LeaseDurationSeconds: 15}
	for name, tc := range map[string]struct {
		// before is who held it a moment ago; empty: there is no Lease.
		before string
		// thief takes it while we hold it, in our last moment.
		thief string
		want  string
	}{
		"the first":         {},
		"after a leader":    {before: "node-1"},
		"another came then": {thief: "node-2", want: "node-2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				leases := client.CoordinationV1().Leases(election.Namespace)
				if tc.before != "" {
					held := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: election.Name}, Spec: coordinationv1.LeaseSpec{
						HolderIdentity: &tc.before}}
					if _, err := leases.Create(t.Context(), held, metav1.CreateOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				read := func() coordinationv1.LeaseSpec {
					t.Helper()
					lease, err := leases.Get(context.Background(), election.Name, metav1.GetOptions{})
					if err != nil {
						t.Fatal(err)
					}
					return lease.Spec
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- (&presence{leases: client, election: election, holder: "me"}).Start(ctx) }()
				for range 3 {
					<-time.After(20 * time.Second)
					synctest.Wait()
					spec := read()
					if ptr.Deref(spec.HolderIdentity, "") != "me" || ptr.Deref(spec.LeaseDurationSeconds, 0) != 15 {
						t.Fatalf("the Lease says %v for %v seconds", ptr.Deref(spec.HolderIdentity, ""), ptr.Deref(spec.LeaseDurationSeconds, 0))
					}
					if age := time.Since(spec.RenewTime.Time); age > 6*time.Second {
						t.Errorf("it was renewed %s ago", age)
					}
				}
				if tc.thief != "" {
					held, err := leases.Get(t.Context(), election.Name, metav1.GetOptions{})
					if err != nil {
						t.Fatal(err)
					}
					held.Spec.HolderIdentity = &tc.thief
					if _, err := leases.Update(t.Context(), held, metav1.UpdateOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if got := ptr.Deref(read().HolderIdentity, "nobody wrote it"); got != tc.want {
					t.Errorf("it was left to %q, want %q", got, tc.want)
				}
			})
		})
	}
}
