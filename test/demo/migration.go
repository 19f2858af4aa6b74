package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/static"
)

const (
	town = "demo-migration"
	// movePatience is for a batch: plan, two approvals, two clusters one after the other, and the soak.
	movePatience = 6 * time.Minute
	// shortSoak is for who waits for it to end, longSoak for who does something meanwhile.
	shortSoak, longSoak = 10 * time.Second, 5 * time.Minute
)

// migration brings five applications under federation that were in the members before.
func migration() Scene {
	return Scene{
		Name:  "migration",
		Title: "five running applications come under federation, and no pod notices",
		Why: `Applications that CI/CD put straight into clusters come under Karmada in batches, each with a plan two people
approve, proved by dry runs in every member. One goes wrong: it and only it is rolled back. One is taken off the
whitelist and goes on under static management. A controller in the members goes on rotating a Secret, and an eviction
while one is watched is told of and rolls nothing back. Nothing is deleted, and no container restarts.`,
		Play: playMigration,
	}
}

// townScene is what the steps of the scene share.
type townScene struct {
	*Stage
	apps   []static.App
	before map[string]static.Pod
	// restarted is the pod the scene itself restarts a container of, and evicted the one it evicts.
	restarted, evicted string
}

func playMigration(ctx context.Context, s *Stage) error {
	scene := &townScene{Stage: s}
	for i, kind := range []string{"Deployment", "CloneSet", "Deployment", "CloneSet", "Deployment"} {
		scene.apps = append(scene.apps, static.App{
			Namespace: town, Name: fmt.Sprintf("%c-%s", 'a'+i, strings.ToLower(kind)), Kind: kind, Image: "registry.example/app:v1",
			Replicas: map[string]int64{"member1": 3, "member2": 2},
		})
	}
	for _, step := range []func(context.Context) error{
		scene.sweep, scene.deploy, scene.own, scene.enlist, scene.firstBatch, scene.rotate, scene.badOne, scene.rest, scene.takeOff,
		scene.compare,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *townScene) deploy(ctx context.Context) error {
	s.Step("CI/CD releases five applications straight into member1 (3 pods each) and member2 (2 pods each), configured apart")
	for _, app := range s.apps {
		if err := app.Release(ctx, s.Members); err != nil {
			return err
		}
	}
	s.Expect(ctx, "pods Ready, none of them known to Karmada", "25", func(ctx context.Context) (string, error) {
		pods, err := s.pods(ctx)
		s.before = pods
		return fmt.Sprint(len(pods)), err
	})
	return nil
}

func (s *townScene) pods(ctx context.Context) (map[string]static.Pod, error) {
	out := map[string]static.Pod{}
	for _, app := range s.apps {
		pods, err := app.Pods(ctx, s.Members)
		if err != nil {
			return out, err
		}
		maps.Copy(out, pods)
	}
	return out, nil
}

func (s *townScene) enlist(ctx context.Context) error {
	s.Step("An admin puts them on a whitelist: batches 1:2:7, two approvals for each plan, a soak of %.0f s (5 minutes by default)",
		shortSoak.Seconds())
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: town}}
	whitelist.Spec.Strategy.SoakSeconds = ptr.To(int32(shortSoak.Seconds()))
	for _, app := range s.apps {
		whitelist.Spec.Entries = append(whitelist.Spec.Entries, v1alpha1.WhitelistEntry{
			Namespace: town, Environment: v1alpha1.EnvironmentProduction,
			WorkloadReference: v1alpha1.WorkloadReference{APIVersion: app.APIVersion(), Kind: app.Kind, Name: app.Name},
		})
	}
	if err := s.Karmada.Create(ctx, whitelist); err != nil {
		return fmt.Errorf("making the whitelist: %w", err)
	}
	s.ExpectWithin(ctx, movePatience, "applications with a plan that changes nothing in any member", "5",
		func(ctx context.Context) (string, error) {
			return s.count(ctx, func(one *v1alpha1.Migration) bool {
				return one.Status.Phase == v1alpha1.PhaseAwaitingApproval && one.Status.Plan.Harmful == 0
			})
		})
	one, err := s.migration(ctx, s.apps[0])
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := plan.Write(&text, one.Status, false); err != nil {
		return err
	}
	s.Say("argosyctl migration plan -n %s %s\n\n%s", town, user(s.apps[0]), text.String())
	return nil
}

func (s *townScene) firstBatch(ctx context.Context) error {
	s.Step("alice and bob approve the first plan; batch 1 of 3 opens cluster by cluster")
	if err := s.approveAll(ctx, s.apps[:1]); err != nil {
		return err
	}
	s.expectPhase(ctx, s.apps[0], v1alpha1.PhaseFederated)
	return nil
}

func (s *townScene) approveAll(ctx context.Context, apps []static.App) error {
	for _, app := range apps {
		one, err := s.migration(ctx, app)
		if err != nil {
			return err
		}
		if err := s.approve(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

func (s *townScene) badOne(ctx context.Context) error {
	bad := s.apps[1]
	s.Step("They approve the others, to soak for %.0f minutes. Batch 2: %s soaks, and a container of its restarts in member2",
		longSoak.Minutes(), user(bad))
	// However late it is seen, it still soaks.
	if err := s.soakAnew(ctx, longSoak, s.apps[1:]); err != nil {
		return err
	}
	s.expectPhase(ctx, bad, v1alpha1.PhaseSoaking)
	if err := s.evict(ctx, bad, "member1"); err != nil {
		return err
	}
	if err := s.restart(ctx, bad, "member2"); err != nil {
		return err
	}
	s.expectPhase(ctx, bad, v1alpha1.PhaseCutOff)
	s.Expect(ctx, "why it was rolled back", v1alpha1.ReasonEvidenceChanged, func(ctx context.Context) (string, error) {
		one, err := s.migration(ctx, bad)
		if err != nil || one.Status.Failure == nil {
			return "", err
		}
		return one.Status.Failure.Reason, nil
	})
	s.ExpectHeld(ctx, 5*time.Second, "applications of batch 3 that were opened", "0", func(ctx context.Context) (string, error) {
		return s.count(ctx, func(one *v1alpha1.Migration) bool {
			return one.Spec.Name > bad.Name && one.Status.Management != v1alpha1.ManagementStatic
		})
	})
	return nil
}

func (s *townScene) restart(ctx context.Context, app static.App, member string) error {
	err := retry.RetryOnConflict(writesMeet(), func() error {
		var pods corev1.PodList
		if err := s.Members[member].List(ctx, &pods, client.InNamespace(town), client.MatchingLabels{"app": app.Name}); err != nil {
			return err
		}
		if len(pods.Items) == 0 || len(pods.Items[0].Status.ContainerStatuses) == 0 {
			return errors.New("there is no container to restart")
		}
		pod := &pods.Items[0]
		s.restarted = member + "/" + pod.Name
		pod.Status.ContainerStatuses[0].RestartCount++
		return s.Members[member].Status().Update(ctx, pod)
	})
	if err != nil {
		return fmt.Errorf("restarting a container of %s in %s: %w", app.Name, member, err)
	}
	return nil
}

func (s *townScene) rest(ctx context.Context) error {
	s.Step("The admin takes the bad one off the whitelist; the batches go on, with a soak of %.0f s again, which is approved again",
		shortSoak.Seconds())
	if err := s.soakAnew(ctx, shortSoak, s.apps[2:]); err != nil {
		return err
	}
	if err := s.drop(ctx, s.apps[1]); err != nil {
		return err
	}
	s.ExpectWithin(ctx, 2*movePatience, "applications federated", "4", func(ctx context.Context) (string, error) {
		return s.count(ctx, func(one *v1alpha1.Migration) bool { return one.Status.Phase == v1alpha1.PhaseFederated })
	})
	return nil
}

func (s *townScene) takeOff(ctx context.Context) error {
	gone := s.apps[0]
	s.Step("%s is taken off the whitelist and released statically again, to 4 pods in member1", user(gone))
	if err := s.drop(ctx, gone); err != nil {
		return err
	}
	s.expectPhase(ctx, gone, v1alpha1.PhaseCutOff)
	gone.Replicas = map[string]int64{"member1": 4, "member2": 2}
	if err := gone.Release(ctx, s.Members); err != nil {
		return err
	}
	s.ExpectHeld(ctx, 5*time.Second, "its pods in member1, which Karmada leaves alone", "4", func(ctx context.Context) (string, error) {
		pods, err := gone.Pods(ctx, s.Members)
		found := 0
		for name := range pods {
			if strings.HasPrefix(name, "member1/") {
				found++
			}
		}
		return fmt.Sprint(found), err
	})
	return nil
}

// compare shows every pod before and after.
func (s *townScene) compare(ctx context.Context) error {
	s.Step("The pods before the first step and now")
	s.apps[0].Replicas = map[string]int64{"member1": 4, "member2": 2}
	after, err := machine.Answered(ctx, s.pods)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(s.before))
	for name := range s.before {
		names = append(names, name)
	}
	slices.Sort(names)
	same := 0
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "POD\tUID BEFORE\tUID NOW\tRESTARTS BEFORE\tRESTARTS NOW")
	for _, name := range names {
		was, is := s.before[name], after[name]
		expected, remark := was, ""
		switch name {
		case s.restarted:
			expected.Restarts++
			remark = " (the scene's own)"
		case s.evicted:
			expected, remark = static.Pod{}, " (the scene evicted it)"
		}
		if expected == is {
			same++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d%s\n", name, short(was.UID), short(is.UID), was.Restarts, is.Restarts, remark)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	s.Say("%s", text.String())
	s.Expect(ctx, "pods with their UID of before, and no restart and no eviction but the scene's own", "25 of 25",
		func(context.Context) (string, error) { return fmt.Sprintf("%d of %d", same, len(names)), nil })
	return nil
}

func short(uid string) string {
	first, _, _ := strings.Cut(uid, "-")
	return first
}

func user(app static.App) string { return strings.ToLower(app.Kind) + "/" + app.Name }

func (s *townScene) expectPhase(ctx context.Context, app static.App, phase v1alpha1.Phase) {
	s.ExpectWithin(ctx, movePatience, user(app)+" is", string(phase), func(ctx context.Context) (string, error) {
		one, err := s.migration(ctx, app)
		if err != nil {
			return "", err
		}
		return string(one.Status.Phase), nil
	})
}

func (s *townScene) migration(ctx context.Context, app static.App) (*v1alpha1.Migration, error) {
	one := &v1alpha1.Migration{}
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: town, Name: policy.Name(app.Kind, app.Name)}, one); err != nil {
		return nil, fmt.Errorf("reading the migration of %s: %w", user(app), err)
	}
	return one, nil
}

func (s *townScene) count(ctx context.Context, which func(*v1alpha1.Migration) bool) (string, error) {
	var list v1alpha1.MigrationList
	if err := s.Karmada.List(ctx, &list, client.InNamespace(town)); err != nil {
		return "", fmt.Errorf("listing migrations: %w", err)
	}
	found := 0
	for i := range list.Items {
		if which(&list.Items[i]) {
			found++
		}
	}
	return fmt.Sprint(found), nil
}
