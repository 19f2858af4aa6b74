package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// writeStatuses is a table of 80 columns for names of ordinary length.
func writeStatuses(out io.Writer, migrations []v1alpha1.Migration, namespaces bool) error {
	table := newTable(out, 2)
	home := func(text string) string {
		if namespaces {
			return text + "\t"
		}
		return ""
	}
	fmt.Fprintln(table, home("NAMESPACE")+"APPLICATION\tPHASE\tMANAGED\tBATCH\tCLUSTERS\tWHY")
	for i := range migrations {
		migration, status := &migrations[i], &migrations[i].Status
		batch := strings.TrimSpace(string(status.Environment) + " " + status.Batch)
		fmt.Fprintf(table, "%s%s\t%s\t%s\t%s\t%s\t%s\n", home(migration.Namespace), named(migration),
			cmp.Or(string(status.Phase), "-"), cmp.Or(string(status.Management), "-"), cmp.Or(batch, "-"), cmp.Or(status.ClustersDone, "-"),
			why(migration))
	}
	return table.Flush()
}

// why an application stands where it does, where its phase alone does not say it.
func why(migration *v1alpha1.Migration) string {
	switch word := reason(migration); {
	case word == v1alpha1.ReasonAwaitingApproval:
		return migration.Status.ApprovalsDone + " approved"
	case word == v1alpha1.ReasonAllDone, word == string(migration.Status.Phase):
		return ""
	default:
		return word
	}
}

func writeStatus(out io.Writer, migration *v1alpha1.Migration) error {
	if err := writeStatuses(out, []v1alpha1.Migration{*migration}, true); err != nil {
		return err
	}
	status := &migration.Status
	fmt.Fprintf(out, "\n%s\n", advancing(migration))
	if approved := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionApproved); approved != nil &&
		approved.Status == metav1.ConditionTrue && status.Plan != nil {
		fmt.Fprintf(out, "Plan %s is %s\n", status.Plan.Hash, approved.Message)
	}
	if status.Failure != nil {
		fmt.Fprintf(out, "Attempt %d failed %s (%s, %s): %s\n", status.Failure.Attempt, status.Failure.Time.UTC().Format("2006-01-02 15:04:05"),
			status.Failure.Reason, status.Failure.Action, status.Failure.Message)
	}
	if err := writeClusters(out, status.Clusters); err != nil {
		return err
	}
	if len(status.Resources) > 0 {
		fmt.Fprintln(out, "\nObjects")
	}
	for i := range status.Resources {
		resource := &status.Resources[i]
		where := "in " + strings.Join(status.ClustersOf(resource), ", ")
		if resource.Policy == "" {
			where = "static: " + resource.Note
		}
		fmt.Fprintf(out, "  %s/%s %s\n", strings.ToLower(resource.Kind), resource.Name, where)
	}
	if status.OmittedResources > 0 {
		fmt.Fprintf(out, "  and %d more that stay static: the record has no room for them\n", status.OmittedResources)
	}
	if len(status.History) > 0 {
		fmt.Fprintln(out, "\nHistory")
	}
	for _, entry := range status.History {
		fmt.Fprintf(out, "  %s %s: %s\n", entry.Time.UTC().Format("2006-01-02 15:04:05"), entry.Phase, entry.Message)
	}
	return nil
}

func writeClusters(out io.Writer, clusters []v1alpha1.ClusterStatus) error {
	if len(clusters) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nClusters")
	table := newTable(out, 3)
	fmt.Fprintln(table, "  NAME\tSTATE\tREPLICAS\tPODS BEFORE\tPODS AFTER\tREVISION")
	for _, cluster := range clusters {
		before, after, revision := "-", "-", "-"
		if cluster.Before != nil {
			before, revision = fmt.Sprint(cluster.Before.PodCount), cluster.Before.Revision
		}
		if cluster.After != nil {
			after = fmt.Sprint(cluster.After.PodCount)
			if cluster.After.Revision != revision {
				revision += " -> " + cluster.After.Revision
			}
		}
		fmt.Fprintf(table, "  %s\t%s\t%d\t%s\t%s\t%s\n", cluster.Name, cluster.State, cluster.Replicas, before, after, revision)
	}
	return table.Flush()
}

func reason(migration *v1alpha1.Migration) string {
	if condition := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionAdvancing); condition != nil {
		return condition.Reason
	}
	return ""
}

func advancing(migration *v1alpha1.Migration) string {
	if condition := meta.FindStatusCondition(migration.Status.Conditions, v1alpha1.ConditionAdvancing); condition != nil {
		return condition.Reason + ": " + condition.Message
	}
	return "the controller has not looked at it yet"
}
