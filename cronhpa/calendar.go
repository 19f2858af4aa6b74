package cronhpa

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
)

// byCalendar indexes CronHPAs by the calendars their rules name.
const byCalendar = "cronhpa.calendar"

// Calendars are the shared lists of days that rules name, by the name of their ConfigMap.
type Calendars map[string]Calendar

// Calendar is one of them.
type Calendar struct {
	days []string
	err  error
}

// Add what a ConfigMap holds, all of its data in the order of the keys.
func (c Calendars) Add(object *corev1.ConfigMap) {
	if object.Labels[v1alpha1.CronHPACalendarLabel] != "true" {
		return
	}
	var read Calendar
	for _, key := range slices.Sorted(maps.Keys(object.Data)) {
		days, err := schedule.ReadCalendar(object.Data[key])
		if err != nil {
			read = Calendar{err: fmt.Errorf("ConfigMap %s, data[%q], %w", object.Name, key, err)}
			break
		}
		read.days = append(read.days, days...)
	}
	if len(read.days) > schedule.MostDays {
		read = Calendar{err: fmt.Errorf("ConfigMap %s holds more than %d days", object.Name, schedule.MostDays)}
	}
	c[object.Name] = read
}

// days of a calendar. One that is not there is not an empty one.
func (c Calendars) days(name string) ([]string, error) {
	calendar, known := c[name]
	if !known {
		return nil, fmt.Errorf("there is no ConfigMap %s with the label %s=true in this namespace of the control plane: create it, or label it",
			name, v1alpha1.CronHPACalendarLabel)
	}
	return calendar.days, calendar.err
}

// calendarNames of a CronHPA's rules, each once.
func calendarNames(cron *v1alpha1.CronHPA) []string {
	var out []string
	for _, rule := range cron.Spec.Rules {
		if ref := rule.ExcludeCalendarRef; ref != nil && !slices.Contains(out, ref.Name) {
			out = append(out, ref.Name)
		}
	}
	return out
}

// CalendarsOf reads the calendars that a CronHPA names.
func CalendarsOf(ctx context.Context, reader client.Reader, cron *v1alpha1.CronHPA) (Calendars, error) {
	out := Calendars{}
	var failed error
	for _, name := range calendarNames(cron) {
		object := &corev1.ConfigMap{}
		err := reader.Get(ctx, client.ObjectKey{Namespace: cron.Namespace, Name: name}, object)
		switch {
		case err == nil:
			out.Add(object)
		case !apierrors.IsNotFound(err):
			failed = errors.Join(failed, fmt.Errorf("reading ConfigMap %s/%s: %w", cron.Namespace, name, err))
		}
	}
	return out, failed
}

// ofCalendar are the CronHPAs whose rules name a ConfigMap.
func (r *Reconciler) ofCalendar(ctx context.Context, object client.Object) []reconcile.Request {
	var crons v1alpha1.CronHPAList
	err := r.client.List(ctx, &crons, client.InNamespace(object.GetNamespace()), client.MatchingFields{byCalendar: object.GetName()},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		log.FromContext(ctx).Error(err, "Listing CronHPAs of a calendar", "configMap", klog.KObj(object))
		return nil
	}
	out := make([]reconcile.Request, 0, len(crons.Items))
	for i := range crons.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&crons.Items[i])})
	}
	return out
}
