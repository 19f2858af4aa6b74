package demo

import (
	"context"
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

const timetableNamespace = "demo-timetable"

// timetable is a CronHPA: one rule for the fleet, divided by Karmada's scheduler.
func timetable() Scene {
	return Scene{
		Name:  "timetable",
		Title: "a timetable scales the fleet",
		Why: `A CronHPA in the control plane sets replicas on a timetable; Karmada's scheduler divides them. No cron runs
in a member, and what a person scales by hand in between stands until the next firing.`,
		Play: playTimetable,
	}
}

func playTimetable(ctx context.Context, s *Stage) error {
	s.Step("Apply a CloneSet of 3 replicas for three members, and a CronHPA that wants 9 from the next minute on")
	if err := s.Fresh(ctx, timetableNamespace); err != nil {
		return err
	}
	if err := s.Apply(ctx, fleetManifests(timetableNamespace, 3)); err != nil {
		return err
	}
	s.Expect(ctx, "Ready pods in the three members", "1+1+1", s.sharesOf(timetableNamespace))

	cron, due, err := s.morning(ctx)
	if err != nil {
		return err
	}
	s.Say("rule morning: schedule %q, due at %s", cron.Spec.Rules[0].Schedule, due.Format(time.TimeOnly))
	s.Expect(ctx, "next run in the status", due.Format(time.TimeOnly), s.cronField(func(status v1alpha1.CronHPAStatus) string {
		if status.NextRunTime == nil {
			return "none"
		}
		return status.NextRunTime.UTC().Format(time.TimeOnly)
	}))
	s.ExpectWithin(ctx, machine.Patience+2*time.Minute, "Ready pods after the firing, divided by the scheduler", "3+3+3",
		s.sharesOf(timetableNamespace))
	s.Expect(ctx, "rule in force and its result", "morning Applied", s.cronField(func(status v1alpha1.CronHPAStatus) string {
		return status.RuleInForce + " " + string(status.LastResult)
	}))

	s.Step("Scale by hand to 6, as kubectl scale does")
	template := cloneSetObject(timetableNamespace)
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 6}}
	if err := s.Karmada.SubResource("scale").Update(ctx, template, client.WithSubResourceBody(scale)); err != nil {
		return fmt.Errorf("scaling by hand: %w", err)
	}
	s.ExpectHeld(ctx, 3*time.Second, "Ready pods, until the next firing", "2+2+2", s.sharesOf(timetableNamespace))
	return nil
}

// morning creates a CronHPA whose rule is due at the beginning of a minute to come.
func (s *Stage) morning(ctx context.Context) (*v1alpha1.CronHPA, time.Time, error) {
	for {
		// A minute that is about to begin could pass while the object is on its way.
		due := s.options.Clock.Now().UTC().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
		cron := &v1alpha1.CronHPA{}
		cron.Namespace, cron.Name = timetableNamespace, "web"
		cron.Spec.ScaleTargetRef.APIVersion, cron.Spec.ScaleTargetRef.Kind, cron.Spec.ScaleTargetRef.Name = "apps.kruise.io/v1alpha1", "CloneSet",
			"web"
		cron.Spec.Rules = []v1alpha1.CronHPARule{
			{Name: "morning", Schedule: due.Format("4 15 * * *"), TimeZone: "UTC", TargetReplicas: ptr.To[int32](9)},
		}
		if err := s.Karmada.Create(ctx, cron); err != nil {
			return nil, due, fmt.Errorf("creating the CronHPA: %w", err)
		}
		if cron.CreationTimestamp.Time.Before(due) {
			return cron, due, nil
		}
		if err := s.Karmada.Delete(ctx, cron); err != nil {
			return nil, due, fmt.Errorf("deleting a CronHPA that came too late: %w", err)
		}
	}
}

func (s *Stage) cronField(read func(v1alpha1.CronHPAStatus) string) See {
	return func(ctx context.Context) (string, error) {
		cron := &v1alpha1.CronHPA{}
		err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: timetableNamespace, Name: "web"}, cron)
		return read(cron.Status), err
	}
}

func (s *Stage) sharesOf(namespace string) See {
	return func(ctx context.Context) (string, error) {
		ready, err := s.ReadyPods(ctx, namespace)
		return Shares(ready), err
	}
}
