package whitelist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

func entryOf(environment v1alpha1.Environment, name string) v1alpha1.WhitelistEntry {
	return v1alpha1.WhitelistEntry{
		Namespace: "shop", Environment: environment,
		WorkloadReference: v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
	}
}

func whitelistOf(name, order string, entries ...v1alpha1.WhitelistEntry) *v1alpha1.MigrationWhitelist {
	out := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: name}}
	out.Spec.Order, out.Spec.Entries = order, entries
	return out
}

func migrationOf(name string, phase v1alpha1.Phase) *v1alpha1.Migration {
	out := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-" + name}}
	out.Spec.WorkloadReference = entryOf("", name).WorkloadReference
	out.Status.Phase = phase
	return out
}

func key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: "shop", Name: "deployment-" + name}
}

// The gauge counts what the cache has seen, each whitelist for itself: a failed application must not read 0, whichever list was looked at
// last, and the numbers of a list that is gone go with it.
func TestTheGaugeCountsEveryWhitelist(t *testing.T) {
	order := &Order{}
	order.Put(whitelistOf("one", "", entryOf(v1alpha1.EnvironmentTest, "web")))
	order.Put(whitelistOf("two", "", entryOf(v1alpha1.EnvironmentTest, "api"), entryOf(v1alpha1.EnvironmentTest, "cron")))
	failed := migrationOf("web", v1alpha1.PhaseCutOff)
	failed.Status.Failure = &v1alpha1.Failure{Attempt: 1}
	order.See(failed)
	order.See(migrationOf("api", v1alpha1.PhaseFederated))
	byHand := migrationOf("cron", v1alpha1.PhaseCutOff)
	byHand.Spec.Rollback = &v1alpha1.Rollback{}
	order.See(byHand)
	lines := func(whitelist string, failed, federated, off int) string {
		var text strings.Builder
		for _, state := range []struct {
			word string
			n    int
		}{{"failed", failed}, {"federated", federated}, {"moving", 0}, {"off", off}, {"waiting", 0}} {
			fmt.Fprintf(&text, "argosy_migration_applications{environment=\"Test\",state=%q,whitelist=%q} %d\n", state.word, whitelist, state.n)
		}
		return text.String()
	}
	head := "# HELP argosy_migration_applications Applications on whitelists, by whitelist, environment and state " +
		"(waiting, moving, federated, " +
		"failed, and off: rolled back by a person).\n# TYPE argosy_migration_applications gauge\n"
	if err := testutil.CollectAndCompare(order, strings.NewReader(head+lines("one", 1, 0, 0)+lines("two", 0, 1, 1))); err != nil {
		t.Error(err)
	}
	order.Drop("two")
	if err := testutil.CollectAndCompare(order, strings.NewReader(head+lines("one", 1, 0, 0))); err != nil {
		t.Errorf("after a list was deleted: %v", err)
	}
}

// Whitelists of one order are one list: production of the one waits for tests of the other. Those of no order do not wait for each other.
func TestSeveralWhitelistsInOneOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		order string
		waits bool
	}{"in one order": {order: "year", waits: true}, "each by itself": {}} {
		t.Run(name, func(t *testing.T) {
			order := &Order{}
			order.Put(whitelistOf("a", tc.order, entryOf(v1alpha1.EnvironmentProduction, "web")))
			order.Put(whitelistOf("b", tc.order, entryOf(v1alpha1.EnvironmentTest, "api")))
			order.See(migrationOf("web", v1alpha1.PhasePending))
			order.See(migrationOf("api", v1alpha1.PhasePending))
			if got := order.Turn("a", key("web")); got.Prepare == tc.waits {
				t.Errorf("production may prepare: %v", got.Prepare)
			}
			changed, moved := order.See(migrationOf("api", v1alpha1.PhaseFederated))
			if woken := len(changed) > 0; woken != tc.waits || !moved {
				t.Errorf("woken: %v, moved: %v", changed, moved)
			}
			if got := order.Turn("a", key("web")); !got.Open || got.Batch != "1/1" {
				t.Errorf("once the tests are done: %+v", got)
			}
		})
	}
}

// Who asks is told of those whose turn is another, and of nobody else: nine thousand who wait are not looked at for each of a thousand who
// move.
func TestWhoIsWoken(t *testing.T) {
	order := &Order{}
	var entries []v1alpha1.WhitelistEntry
	for i := range 10 {
		entries = append(entries, entryOf(v1alpha1.EnvironmentTest, fmt.Sprint("app", i)))
	}
	names := func(keys []client.ObjectKey) []string {
		var out []string
		for _, k := range keys {
			out = append(out, strings.TrimPrefix(k.Name, "deployment-"))
		}
		return out
	}
	if changed, off := order.Put(whitelistOf("all", "", entries...)); len(changed) != 10 || len(off) != 0 {
		t.Errorf("put on: %v, off %v", names(changed), names(off))
	}
	for i := range 10 {
		order.See(migrationOf(fmt.Sprint("app", i), v1alpha1.PhasePending))
	}
	// Batches of 1, 2 and 7.
	if changed, _ := order.See(migrationOf("app0", v1alpha1.PhaseOpening)); len(changed) != 0 {
		t.Errorf("one that opens wakes %v", names(changed))
	}
	changed, _ := order.See(migrationOf("app0", v1alpha1.PhaseFederated))
	if diff := cmp.Diff([]string{"app1", "app2", "app3", "app4", "app5", "app6", "app7", "app8", "app9"}, names(changed)); diff != "" {
		t.Errorf("the first batch done wakes (-want +got):\n%s", diff)
	}
	if changed, moved := order.See(migrationOf("app1", v1alpha1.PhaseFederated)); len(changed) != 0 || !moved {
		t.Errorf("the first of two of a batch wakes %v", names(changed))
	}
	if changed, moved := order.See(migrationOf("app1", v1alpha1.PhaseFederated)); len(changed) != 0 || moved {
		t.Errorf("seen again it wakes %v", names(changed))
	}
	_, off := order.Put(whitelistOf("all", "", entries[1:]...))
	if diff := cmp.Diff([]string{"app0"}, names(off)); diff != "" {
		t.Errorf("taken off (-want +got):\n%s", diff)
	}
	if listing := order.Listing(key("app0")); len(listing) != 0 {
		t.Errorf("still listed by %v", listing)
	}
}
