package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/nemesis/history"
	"github.com/argosy-dev/argosy/test/static"
)

// Moving is an application that lives in the members and is brought into the federation and out of it again and again: an admin writes
// the whitelist, two people approve whatever waits, a third has no right to and tries, and CI/CD releases it statically whenever it is
// told that it may.
type Moving struct {
	// Admin reaches the control plane as an administrator, Karmada and Members as the run does.
	Admin   *rest.Config
	Karmada client.Client
	Members map[string]client.Client
	Clock   clock.Clock
	Note    func(context.Context, history.Note) error

	app   static.App
	count map[string]int
}

const (
	// Town is the namespace of what moves.
	Town = "nemesis-town"
	// turn is how long it stays on the whitelist, and off it.
	turn = 40 * time.Second
	// look is how often people look whether something waits for them.
	look = 2 * time.Second
)

// Begin releases it into the members, as was done before there was a federation.
func (m *Moving) Begin(ctx context.Context) error {
	m.count = map[string]int{}
	m.app = static.App{
		Namespace: Town, Name: "moved", Kind: "Deployment", Image: "registry.example/app:v1",
		Replicas: map[string]int64{"member1": 3, "member2": 2},
	}
	return m.app.Release(ctx, m.Members)
}

// Work moves it until the context ends or the time is over, and leaves it where it is then.
func (m *Moving) Work(ctx context.Context, length time.Duration) {
	begun := m.Clock.Now()
	listed := false
	for m.Clock.Since(begun) < length {
		if want := m.Clock.Since(begun)%(2*turn) < turn; want != listed && m.enlist(ctx, want) == nil {
			listed = want
			m.did(ctx, map[bool]string{true: "enlist", false: "take-off"}[want])
		}
		m.visit(ctx)
		select {
		case <-ctx.Done():
			return
		case <-m.Clock.After(look):
		}
	}
}

// Done is how often each thing was done.
func (m *Moving) Done() map[string]int { return m.count }

func (m *Moving) did(ctx context.Context, what string) {
	m.count[what]++
	// A history with a hole is told by its collector.
	_ = m.Note(context.WithoutCancel(ctx), history.Note{Kind: history.Operation, Name: what, Target: m.app.Name})
}

func (m *Moving) enlist(ctx context.Context, on bool) error {
	whitelist := &migrationv1alpha1.MigrationWhitelist{}
	whitelist.Name = "nemesis"
	err := m.Karmada.Get(ctx, client.ObjectKeyFromObject(whitelist), whitelist)
	missing := client.IgnoreNotFound(err) == nil && err != nil
	if err != nil && !missing {
		return err
	}
	whitelist.Spec.Strategy.SoakSeconds = ptr.To(int32(5))
	whitelist.Spec.Entries = nil
	if on {
		whitelist.Spec.Entries = []migrationv1alpha1.WhitelistEntry{{
			Namespace: Town, Environment: migrationv1alpha1.EnvironmentProduction, WorkloadReference: m.reference(),
		}}
	}
	if missing {
		return m.Karmada.Create(ctx, whitelist)
	}
	return m.Karmada.Update(ctx, whitelist)
}

func (m *Moving) reference() migrationv1alpha1.WorkloadReference {
	return migrationv1alpha1.WorkloadReference{APIVersion: m.app.APIVersion(), Kind: m.app.Kind, Name: m.app.Name}
}

// visit looks at where it stands, and does what people do then.
func (m *Moving) visit(ctx context.Context) {
	var all migrationv1alpha1.MigrationList
	if err := m.Karmada.List(ctx, &all, client.InNamespace(Town)); err != nil || len(all.Items) == 0 {
		return
	}
	one := &all.Items[0]
	switch {
	case one.Status.Failure != nil && one.Spec.Attempt <= one.Status.Failure.Attempt:
		before := one.DeepCopy()
		one.Spec.Attempt = one.Status.Failure.Attempt + 1
		if m.Karmada.Patch(ctx, one, client.MergeFrom(before)) == nil {
			m.did(ctx, "try-again")
		}
	case one.Status.Phase == migrationv1alpha1.PhaseAwaitingApproval && one.Status.Plan != nil && one.Status.Plan.Harmful == 0:
		m.approve(ctx, one, "eve", "") // who has no right to
		m.approve(ctx, one, "alice", "bob")
		m.approve(ctx, one, "carol", "")
	case one.Status.Management == migrationv1alpha1.ManagementStatic && one.Status.Phase == migrationv1alpha1.PhaseCutOff:
		m.release(ctx)
	}
}

// approve as a person, in the name of another if one is given: the webhook stamps each approval with its giver.
func (m *Moving) approve(ctx context.Context, one *migrationv1alpha1.Migration, person, inNameOf string) {
	hash := one.Status.Plan.Hash
	if slices.ContainsFunc(one.Spec.Approvals, func(a migrationv1alpha1.Approval) bool { return a.User == person && a.PlanHash == hash }) {
		return
	}
	role := lab.Approver
	if person == "eve" {
		role = "system:authenticated"
	}
	as, err := client.New(lab.Person(m.Admin, person, role), client.Options{Scheme: m.Karmada.Scheme()})
	if err != nil {
		return
	}
	now := one.DeepCopy()
	if err := m.Karmada.Get(ctx, client.ObjectKeyFromObject(one), now); err != nil {
		return
	}
	next := now.DeepCopy()
	stamp := metav1.NewTime(m.Clock.Now())
	next.Spec.Approvals = append(next.Spec.Approvals, migrationv1alpha1.Approval{PlanHash: hash, User: inNameOf, Time: &stamp})
	if inNameOf == "" {
		next.Spec.Approvals[len(next.Spec.Approvals)-1].Time = nil
	}
	err = as.Patch(ctx, next, client.MergeFromWithOptions(now, client.MergeFromWithOptimisticLock{}))
	switch {
	case err == nil && person == "eve":
		m.did(ctx, history.Trespass)
	case err == nil:
		m.did(ctx, "approve")
	default:
		m.did(ctx, "approve"+refused)
	}
}

// release is CI/CD, which was told that the application is its to publish: each time another image, straight into the members.
func (m *Moving) release(ctx context.Context) {
	name, number, _ := strings.Cut(m.app.Image, ":v")
	next := m.app
	next.Image = fmt.Sprintf("%s:v%d", name, len(number)+m.count["release"]+1)
	if m.count["release"] < 2*m.count["take-off"] && next.Release(ctx, m.Members) == nil {
		m.app = next
		m.did(ctx, "release")
	}
}
