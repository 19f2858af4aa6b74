package decide

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

const (
	// templateGap lies between two writes of the template's scale. Each is a new generation of it, for which Karmada writes every Work and
	// each member its workload, also where nothing changed; the scheduling result, which says it all, is written at once.
	templateGap = 15 * time.Second
	// pushedBackTop is the longest gap where somebody sets the replicas back each time, and pushedBackForgotten how long they must have
	// stood for the next push to count as the first.
	pushedBackTop       = 5 * time.Minute
	pushedBackForgotten = 10 * time.Minute
)

// followTemplate brings the template to the sum, or says when it will.
func (d *decision) followTemplate(sum int32) {
	if d.w.Template.Replicas == sum {
		return
	}
	last, pushed := d.plan.Status.TemplateScale, d.pushedBack()
	if last != nil {
		gap := templateGap
		if pushed {
			gap = pushedBackGap(last.PushedBack)
		}
		if left := gap - d.w.Now.Sub(last.Time.Time); left > 0 {
			d.templateWaits(sum, left)
			return
		}
	}
	d.scaleTemplate(sum)
	if scale := d.plan.Status.TemplateScale; pushed && scale.PushedBack > 1 {
		d.tellBooks(true, api.FedHPAReasonPushedBack, fmt.Sprintf("somebody set the template's replicas to %d again, %d times in a row: put "+
			"right to %d. Leave spec.replicas out of what is applied",
			d.w.Template.Replicas, scale.PushedBack, sum))
	}
}

// pushedBack reports whether somebody else has set the template's replicas since they were written here.
func (d *decision) pushedBack() bool {
	last := d.plan.Status.TemplateScale
	return last != nil && d.w.Template.Replicas != last.Replicas
}

// templateWaits says what the template is waiting for.
func (d *decision) templateWaits(sum int32, left time.Duration) {
	reason := api.FedHPAReasonSyncing
	message := fmt.Sprintf("the ResourceBinding says what members run; the template, at %d, is scaled to %d at most once in %s",
		d.w.Template.Replicas, sum, templateGap)
	if last := d.plan.Status.TemplateScale; d.pushedBack() && last.PushedBack > 0 {
		reason = api.FedHPAReasonPushedBack
		message = fmt.Sprintf("somebody sets the template's replicas again and again, %d times in a row, last to %d where members run %d: "+
			"it is put right ever more rarely. "+
			"Leave spec.replicas out of what is applied", last.PushedBack, d.w.Template.Replicas, sum)
	}
	d.condition(api.FedHPABooksAgree, metav1.ConditionFalse, reason, message)
	d.wake(left)
}

// scaleTemplate writes the sum now.
func (d *decision) scaleTemplate(sum int32) {
	streak := int32(0)
	if last := d.plan.Status.TemplateScale; last != nil {
		switch stood := d.w.Now.Sub(last.Time.Time); {
		case stood >= pushedBackForgotten && d.pushedBack():
			streak = 1
		case d.pushedBack():
			streak = last.PushedBack + 1
		case stood < pushedBackForgotten:
			streak = last.PushedBack
		}
	}
	d.plan.Status.TemplateScale = &api.FedHPATemplateScale{Time: *d.stamp(), Replicas: sum, PushedBack: streak}
	d.act(Action{Kind: ScaleTemplate, Total: sum})
}

// pushedBackGap grows from templateGap twofold with each push.
func pushedBackGap(streak int32) time.Duration {
	return min(templateGap<<min(max(streak, 0), 10), pushedBackTop)
}
