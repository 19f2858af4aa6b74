package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// ended says whether a release of the current spec is complete or rolled back.
func ended(release *v1alpha1.Release) bool {
	if release.Status.ObservedGeneration < release.Generation {
		return false
	}
	conditions := release.Status.Conditions
	return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionComplete) || meta.IsStatusConditionTrue(conditions,
		v1alpha1.ConditionRolledBack)
}

// writeReleaseStatus is a tree: the stages, and the clusters with what they have.
func writeReleaseStatus(out io.Writer, release *v1alpha1.Release) error {
	status := &release.Status
	unnamed := "not looked at yet"
	if status.ObservedGeneration > 0 {
		unnamed = "none"
	}
	fmt.Fprintf(out, "Release %s/%s of %s %s, revision %s", release.Namespace, release.Name, release.Spec.TargetRef.Kind,
		release.Spec.TargetRef.Name, cmp.Or(status.Revision, unnamed))
	if status.Dispatch != nil && status.Dispatch.Stable != status.Revision {
		fmt.Fprintf(out, ", stable %s", status.Dispatch.Stable)
	}
	fmt.Fprintf(out, "\n%s updated, %s ready, %s held\n", cmp.Or(status.UpdatedText, "-"), cmp.Or(status.ReadyText, "-"),
		counted(int(status.Held), "cluster", "clusters"))
	if with := withInWords(release); with != "" {
		fmt.Fprintln(out, with)
	}
	fmt.Fprintln(out, "\nStages")
	at := slices.IndexFunc(release.Spec.Stages, func(s v1alpha1.Stage) bool { return s.Name == status.Stage })
	for i, stage := range release.Spec.Stages {
		mark := " "
		switch {
		case i < at, meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionComplete):
			mark = "+"
		case i == at:
			mark = ">"
		}
		fmt.Fprintf(out, "  %s %s: %s\n", mark, stage.Name, stageInWords(stage))
	}
	// Without a template they are those there were.
	if len(status.Clusters) > 0 && status.Revision != "" {
		fmt.Fprintln(out, "\nClusters")
		table := newTable(out, 3)
		fmt.Fprintln(table, "  NAME\tSTATE\tREVISION\tREPLICAS\tWANTED\tUPDATED\tREADY\tWAITS FOR")
		for _, c := range status.Clusters {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", c.Name, c.State, cmp.Or(c.Revision, "-"), c.Replicas, c.Wanted,
				known(c.Updated), known(c.Ready), c.Message)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	for _, c := range status.Conditions {
		if tells(c) {
			fmt.Fprintf(out, "%s: %s: %s\n", c.Type, c.Reason, c.Message)
		}
	}
	return nil
}

// tells is true for conditions a person must read: how it goes on, and what is not as it should be.
func tells(c metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionProgressing:
		return true
	case v1alpha1.ConditionAdopted:
		return c.Status != metav1.ConditionTrue
	case v1alpha1.ConditionStalled, v1alpha1.ConditionRolledBack:
		return c.Status != metav1.ConditionFalse
	}
	return false
}

// withInWords is what is released beside the target.
func withInWords(release *v1alpha1.Release) string {
	var words []string
	for _, with := range release.Spec.With {
		words = append(words, with.Kind+" "+with.Name)
	}
	if release.Spec.Overrides == v1alpha1.OverridesHold {
		words = append(words, "overrides")
	}
	if len(words) == 0 {
		return ""
	}
	return "With it: " + strings.Join(words, ", ")
}

// counted things, one or more.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func known(n int32) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

func stageInWords(stage v1alpha1.Stage) string {
	var words []string
	if stage.Updated != nil {
		noun := " replicas updated"
		if stage.Updated.String() == "1" {
			noun = " replica updated"
		}
		words = append(words, stage.Updated.String()+noun)
	}
	if stage.Clusters != nil {
		clusters := slices.Clone(stage.Clusters.Names)
		if stage.Clusters.Selector != nil {
			clusters = append(clusters, "those with "+metav1.FormatLabelSelector(stage.Clusters.Selector))
		}
		words = append(words, "clusters "+strings.Join(clusters, ", "))
	}
	if len(words) == 0 {
		words = append(words, "everything")
	}
	if stage.Gates.SoakSeconds > 0 {
		words = append(words, "soak "+(time.Duration(stage.Gates.SoakSeconds)*time.Second).String())
	}
	if n := len(stage.Gates.Prometheus); n > 0 {
		words = append(words, counted(n, "query", "queries"))
	}
	if len(stage.Gates.Checks) > 0 {
		words = append(words, "checks "+strings.Join(stage.Gates.Checks, " and "))
	}
	if stage.Gates.Approvals > 0 {
		words = append(words, counted(int(stage.Gates.Approvals), "approval", "approvals"))
	}
	return strings.Join(words, ", ")
}

// revision of a Release's history, as programs are told of it.
type revision struct {
	v1alpha1.Revision `json:",inline"`
	// Current is the template's, Stable the one every cluster may have, Rejected one that is open nowhere.
	Current  bool `json:"current"`
	Stable   bool `json:"stable"`
	Rejected bool `json:"rejected"`
}

func revisionsOf(release *v1alpha1.Release) []revision {
	out := []revision{}
	for _, one := range release.Status.History {
		r := revision{Revision: one, Current: one.Name == release.Status.Revision}
		if d := release.Status.Dispatch; d != nil {
			r.Stable = one.Name == d.Stable
			r.Rejected = !r.Stable && slices.Contains(d.Rejected, one.Name)
		}
		out = append(out, r)
	}
	return out
}

func writeHistory(out io.Writer, revisions []revision) error {
	table := newTable(out, 2)
	fmt.Fprintln(table, "\tREVISION\tSEEN\tIMAGES")
	for _, one := range revisions {
		mark := ""
		if one.Current {
			mark += "*"
		}
		if one.Stable {
			mark += "="
		}
		if one.Rejected {
			mark += "x"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", mark, one.Name, one.Time.UTC().Format(time.DateTime), strings.Join(one.Images, ", "))
	}
	return table.Flush()
}
