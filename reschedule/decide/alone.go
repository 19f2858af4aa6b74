package decide

import (
	"fmt"
	"slices"
	"strings"
)

// alone is a reason to leave a binding alone.
type alone struct {
	Reason string
	// applies says why, in words; empty where it does not apply.
	applies func(World) string
}

// when is a reason that holds where a text is there.
func when(reason, words string, of func(Alone) string) alone {
	return alone{Reason: reason, applies: func(w World) string {
		if text := of(w.Binding.Alone); text != "" {
			return fmt.Sprintf(words, text)
		}
		return ""
	}}
}

// aloneReasons in the order in which they are said: what a person set up first, then what passes.
func aloneReasons() []alone {
	return []alone{
		when("Descheduler", "karmada-descheduler runs (%s): two that move the same replicas fight; stop one of them",
			func(a Alone) string { return a.Descheduler }),
		when("Unread", "%s", func(a Alone) string { return a.Unread }),
		when("Disabled", "%s opts out by annotation", func(a Alone) string { return a.Disabled }),
		{"Deleting", func(w World) string { return text(w.Binding.Alone.Deleting, "it is being deleted") }},
		{"NotDivided", func(w World) string {
			return text(!w.Binding.Divided, "each cluster has all replicas: none can take another's")
		}},
		{"StaticWeights", func(w World) string {
			return text(w.Binding.StaticWeights, "its policy divides by static weights, by which any scheduling would put everything back; "+
				"divide by available replicas, or aggregate")
		}},
		{"SeveralComponents", func(w World) string {
			return text(w.Binding.Alone.Components > 1, fmt.Sprintf("it has %d pod templates, which are scheduled as one",
				w.Binding.Alone.Components))
		}},
		when("Job", "pods of a %s run to an end, and those that ended would be counted anew", func(a Alone) string { return a.Job }),
		when("ForeignScheduler", "scheduler %s divides it", func(a Alone) string { return a.Scheduler }),
		when("Suspended", "%s is suspended", func(a Alone) string { return a.Suspended }),
		when("Migration", "%s", func(a Alone) string { return a.Migration }),
		when("ReplicasOwned", "%s", func(a Alone) string { return a.Owner }),
		when("ScaleIn", "PodScaleIn %s is at work, and its names rest on the numbers", func(a Alone) string { return a.ScaleIn }),
		when("Release", "Release %s has not ended, and its stages rest on the numbers", func(a Alone) string { return a.Release }),
		when("AboutToScale", "CronHPA %s fires within a minute", func(a Alone) string { return a.Fires }),
		{"Evicting", func(w World) string {
			return text(len(w.Binding.Alone.Evicting) > 0, "Karmada is emptying "+strings.Join(w.Binding.Alone.Evicting, ", "))
		}},
		{"Unsettled", func(w World) string {
			return text(!w.Binding.Settled || sum(w.Clusters) != w.Binding.Replicas, "karmada-scheduler is not done with it")
		}},
	}
}

// Reasons are the words for a binding that is left alone, in order.
func Reasons() []string {
	var out []string
	for _, reason := range aloneReasons() {
		out = append(out, reason.Reason)
	}
	return out
}

func text(applies bool, words string) string {
	if applies {
		return words
	}
	return ""
}

func sum(clusters []Cluster) (total int32) {
	for _, c := range clusters {
		total += c.Assigned
	}
	return total
}

// leftAlone is the first reason that applies; nil for none.
func leftAlone(w World) *Decision {
	for _, reason := range aloneReasons() {
		if why := reason.applies(w); why != "" {
			return &Decision{Verdict: LeftAlone, Reason: reason.Reason, Message: why, After: lookAgain}
		}
	}
	return nil
}

func find(clusters []Cluster, name string) *Cluster {
	i := slices.IndexFunc(clusters, func(c Cluster) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &clusters[i]
}
