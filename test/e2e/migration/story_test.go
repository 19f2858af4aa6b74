package migration

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

const (
	look = 250 * time.Millisecond
	// stage is how long a phase may be away: plan, approvals, two clusters one after the other, and the soak.
	stage = 10 * time.Minute
)

// busy is for objects that controllers write several times a second.
var busy = wait.Backoff{Steps: 30, Duration: 50 * time.Millisecond, Jitter: 1}

// story is one test with its applications and its whitelist.
type story struct {
	*testing.T
	*WithT
	whitelist string
	apps      []static.App
	before    map[string]map[string]static.Pod
	specs     map[string]map[string]any
	// victim is the pod, as member/name, whose container a story restarted.
	victim string
}

// newStory releases the applications statically and waits for their pods.
func newStory(t *testing.T, apps ...static.App) *story {
	t.Helper()
	s := &story{T: t, WithT: NewWithT(t), apps: apps, whitelist: apps[0].Namespace}
	for _, app := range apps {
		if err := app.Release(t.Context(), world.members); err != nil {
			t.Fatal(err)
		}
	}
	s.remember()
	return s
}

// remember pods and specs as they are now.
func (s *story) remember() {
	s.Helper()
	s.before, s.specs = map[string]map[string]static.Pod{}, map[string]map[string]any{}
	for _, app := range s.apps {
		s.Eventually(func() error {
			pods, err := app.Pods(s.Context(), world.members)
			s.before[app.Name] = pods
			return err
		}, machine.Patience, look).Should(Succeed())
		for _, member := range app.Members() {
			spec, _, err := app.Spec(s.Context(), world.members[member])
			if err != nil {
				s.Fatal(err)
			}
			s.specs[app.Name+"/"+member] = spec
		}
	}
}

// unchanged compares every pod and every spec with what was remembered. A node whose heartbeat was late has pods that are not Ready, which
// is waited out: they are the same, and no others.
func (s *story) unchanged() {
	s.Helper()
	for _, app := range s.apps {
		s.Eventually(func() error {
			pods, err := app.Pods(s.Context(), world.members)
			for name, pod := range pods {
				if s.before[app.Name][name] != pod {
					return StopTrying("pods changed").Attach("of "+app.Name, cmp.Diff(s.before[app.Name], pods))
				}
			}
			if err == nil && len(pods) != len(s.before[app.Name]) {
				return StopTrying("pods are gone").Attach("of "+app.Name, cmp.Diff(s.before[app.Name], pods))
			}
			return err
		}, machine.Patience, look).Should(Succeed())
		for _, member := range app.Members() {
			spec, _, err := app.Spec(s.Context(), world.members[member])
			if err != nil {
				s.Error(err)
			}
			if diff := cmp.Diff(s.specs[app.Name+"/"+member], spec); diff != "" {
				s.Errorf("spec of %s in %s changed (-before +after):\n%s", app.Name, member, diff)
			}
		}
	}
}

func entryOf(app static.App) v1alpha1.WhitelistEntry {
	return v1alpha1.WhitelistEntry{
		Namespace: app.Namespace, Environment: v1alpha1.EnvironmentTest,
		WorkloadReference: v1alpha1.WorkloadReference{APIVersion: app.APIVersion(), Kind: app.Kind, Name: app.Name},
	}
}

// list puts the applications on a whitelist with a short soak.
func (s *story) list(approvals int32, apps ...static.App) {
	s.Helper()
	s.listSoaking(2, approvals, apps...)
}

// endless is a soak that no test outlasts: whoever acts while an application soaks ends it by soak.
const endless = 24 * 60 * 60

// listSoaking puts the applications on a whitelist with a soak of that many seconds.
func (s *story) listSoaking(seconds, approvals int32, apps ...static.App) {
	s.Helper()
	whitelist := &v1alpha1.MigrationWhitelist{}
	whitelist.Name = s.whitelist
	whitelist.Spec.Strategy.SoakSeconds = ptr.To(seconds)
	whitelist.Spec.Strategy.RequiredApprovals = ptr.To(approvals)
	for _, app := range apps {
		whitelist.Spec.Entries = append(whitelist.Spec.Entries, entryOf(app))
	}
	if err := world.karmada.Create(s.Context(), whitelist); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Entries = nil }) })
}

// edit the whitelist.
func (s *story) edit(change func(*v1alpha1.MigrationWhitelistSpec)) {
	s.Helper()
	err := retry.RetryOnConflict(busy, func() error {
		whitelist := &v1alpha1.MigrationWhitelist{}
		if err := world.karmada.Get(context.WithoutCancel(s.Context()), client.ObjectKey{Name: s.whitelist}, whitelist); err != nil {
			return err
		}
		change(&whitelist.Spec)
		return world.karmada.Update(context.WithoutCancel(s.Context()), whitelist)
	})
	if err != nil {
		s.Fatal(err)
	}
}

// soak changes how long applications soak, also those that do.
func (s *story) soak(seconds int32) {
	s.Helper()
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) { spec.Strategy.SoakSeconds = ptr.To(seconds) })
}

func (s *story) drop(app static.App) {
	s.Helper()
	s.edit(func(spec *v1alpha1.MigrationWhitelistSpec) {
		var kept []v1alpha1.WhitelistEntry
		for _, entry := range spec.Entries {
			if entry.Name != app.Name || entry.Kind != app.Kind {
				kept = append(kept, entry)
			}
		}
		spec.Entries = kept
	})
}

func (s *story) migration(app static.App) *v1alpha1.Migration {
	s.Helper()
	migration := &v1alpha1.Migration{}
	key := client.ObjectKey{Namespace: app.Namespace, Name: policy.Name(app.Kind, app.Name)}
	if err := client.IgnoreNotFound(world.karmada.Get(s.Context(), key, migration)); err != nil {
		s.Fatal(err)
	}
	return migration
}

// reach waits for a phase, and says what stands in the way when it does not come.
func (s *story) reach(app static.App, phase v1alpha1.Phase) *v1alpha1.Migration {
	s.Helper()
	var migration *v1alpha1.Migration
	s.Eventually(func() v1alpha1.Phase {
		migration = s.migration(app)
		return migration.Status.Phase
	}, stage, look).Should(Equal(phase), func() string { return describe(migration) })
	return migration
}

func describe(migration *v1alpha1.Migration) string {
	text := "stands at " + string(migration.Status.Phase)
	for _, condition := range migration.Status.Conditions {
		text += "\n  " + condition.Type + "=" + string(condition.Status) + " " + condition.Reason + ": " + condition.Message
	}
	for _, entry := range migration.Status.History {
		text += "\n  history " + string(entry.Phase) + " " + entry.Reason + ": " + entry.Message
	}
	return text
}

// approve the current plan as one person. A record that the controller has just written is read again: that is no refusal.
func (s *story) approve(app static.App, user string) error {
	s.Helper()
	return retry.RetryOnConflict(busy, func() error {
		migration := s.migration(app)
		hash := "0000000000000000"
		if migration.Status.Plan != nil {
			hash = migration.Status.Plan.Hash
		}
		before := migration.DeepCopy()
		migration.Spec.Approvals = append(migration.Spec.Approvals, v1alpha1.Approval{PlanHash: hash})
		return as(s.T, user).Patch(s.Context(), migration, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}
