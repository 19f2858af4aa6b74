package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// leader is the pod that holds the lease, by the metric each exports.
func (r *release) leader(ctx context.Context) (string, error) {
	if err := r.revive(); err != nil {
		return "", err
	}
	lease := &coordinationv1.Lease{}
	if err := r.karmada.Get(ctx, client.ObjectKey{Namespace: install.Namespace, Name: "argosy-controller-manager"}, lease); err != nil {
		return "", err
	}
	var leaders []string
	for name, p := range r.pods {
		text, err := scrape(ctx, p)
		if p.program == "argosy-controller-manager" && err == nil &&
			strings.Contains(text, `leader_election_master_status{name="argosy-controller-manager"} 1`) {
			leaders = append(leaders, name)
		}
	}
	if len(leaders) != 1 {
		return "", fmt.Errorf("%v lead", leaders)
	}
	return leaders[0], nil
}

// leaderDies kills the leader right before firings are due; the other takes over and none is lost.
func (r *release) leaderDies(t *testing.T) {
	now := clock.RealClock{}
	g := NewWithT(t)
	var leader string
	g.Eventually(func(ctx context.Context) (err error) {
		leader, err = r.leader(ctx)
		return err
	}).WithContext(t.Context()).WithTimeout(machine.Patience).Should(Succeed())
	minute := now.Now().Truncate(time.Minute).Add(time.Minute)
	if until := minute.Sub(now.Now()); until < 3*time.Second {
		minute = minute.Add(time.Minute)
	}
	<-now.After(minute.Add(-2 * time.Second).Sub(now.Now()))
	r.pods[leader].Kill()
	killed := now.Now()
	g.Eventually(r.leader).WithContext(t.Context()).WithTimeout(machine.Patience).ShouldNot(BeElementOf("", leader))
	t.Logf("another leads %s after the leader was killed", now.Since(killed).Round(100*time.Millisecond))
	g.Eventually(func(ctx context.Context) error { return r.firedAt(ctx, minute) }).WithContext(t.Context()).WithTimeout(machine.Patience).
		Should(Succeed())
	r.startAgain(t, leader)
}

// firedAt demands that every CronHPA applied the firing of that minute, and scaled.
func (r *release) firedAt(ctx context.Context, minute time.Time) error {
	for _, cron := range r.crons {
		if err := r.karmada.Get(ctx, client.ObjectKeyFromObject(cron), cron); err != nil {
			return err
		}
		if len(cron.Status.Rules) != 1 || !slices.ContainsFunc(cron.Status.Rules[0].History, func(f autoscalingv1alpha1.Firing) bool {
			return f.Result == autoscalingv1alpha1.FiringApplied && f.ScheduledTime.Time.Equal(minute)
		}) {
			return fmt.Errorf("%s has not fired at %s: %+v", cron.Name, minute.Format(time.TimeOnly), cron.Status)
		}
	}
	return nil
}
