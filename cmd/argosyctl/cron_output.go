package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa"
)

// firingsOf a CronHPA, as programs are told of them.
type firingsOf struct {
	Kind      string            `json:"kind"`
	Metadata  map[string]string `json:"metadata"`
	AtStart   *firing           `json:"atStart,omitempty"`
	Firings   []firing          `json:"firings"`
	Suspended bool              `json:"suspended"`
	// Invalid says what cannot be read.
	Invalid []string `json:"invalid,omitempty"`
}

// firing of a rule. Replicas or bounds that it does not set are not there.
type firing struct {
	Time        time.Time `json:"time"`
	TimeZone    string    `json:"timeZone"`
	Rule        string    `json:"rule"`
	Replicas    *int32    `json:"replicas,omitempty"`
	MinReplicas *int32    `json:"minReplicas,omitempty"`
	MaxReplicas *int32    `json:"maxReplicas,omitempty"`
	Note        string    `json:"note,omitempty"`
}

func firings(cron *v1alpha1.CronHPA, preview cronhpa.Preview) firingsOf {
	told := func(c cronhpa.Coming) firing {
		return firing{
			Time: c.At.UTC(), TimeZone: c.Zone.String(), Rule: c.Rule.Name, Replicas: c.Rule.TargetReplicas,
			MinReplicas: c.Rule.TargetMinReplicas, MaxReplicas: c.Rule.TargetMaxReplicas, Note: c.Note,
		}
	}
	out := firingsOf{
		Kind: "CronHPA", Metadata: map[string]string{"namespace": cron.Namespace, "name": cron.Name}, Firings: []firing{},
		Suspended: cron.Spec.Suspend, Invalid: preview.Invalid,
	}
	if preview.AtStart != nil {
		first := told(*preview.AtStart)
		out.AtStart = &first
	}
	for _, c := range preview.Coming {
		out.Firings = append(out.Firings, told(c))
	}
	return out
}

func printFirings(out io.Writer, cron *v1alpha1.CronHPA, preview cronhpa.Preview) error {
	var broken error
	if len(preview.Invalid) > 0 {
		broken = errors.New(strings.Join(preview.Invalid, "; "))
	}
	if first := preview.AtStart; first != nil {
		fmt.Fprintf(out, "At once, by applyAtStart: rule %s, in force since %s, sets %s\n", first.Rule.Name,
			first.At.In(first.Zone).Format(localTime), sets(first.Rule))
	}
	if len(preview.Coming) == 0 {
		fmt.Fprintln(out, whyNothing(cron, broken))
		return broken
	}
	w := newTable(out, 2)
	fmt.Fprintln(w, "UTC\tLOCAL\tZONE\tRULE\tSETS\tNOTE")
	for _, f := range preview.Coming {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.At.UTC().Format("2006-01-02 15:04"), f.At.In(f.Zone).Format(localTime), f.Zone, f.Rule.Name,
			sets(f.Rule), f.Note)
	}
	return errors.Join(w.Flush(), broken)
}

const localTime = "Mon 2006-01-02 15:04 -0700"

func whyNothing(cron *v1alpha1.CronHPA, broken error) string {
	switch {
	case cron.Spec.Suspend:
		return "No rule fires: spec.suspend is true."
	case broken != nil:
		return "No rule fires."
	}
	return "No rule fires: every one is suspended, has run once, or never matches within ten years."
}

func sets(rule v1alpha1.CronHPARule) string {
	if rule.TargetReplicas != nil {
		return fmt.Sprintf("%d replicas", *rule.TargetReplicas)
	}
	bound := func(n *int32) string {
		if n == nil {
			return "own"
		}
		return fmt.Sprint(*n)
	}
	return "min " + bound(rule.TargetMinReplicas) + ", max " + bound(rule.TargetMaxReplicas)
}
