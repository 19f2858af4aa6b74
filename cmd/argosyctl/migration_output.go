package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// outputs a person or a program may ask for.
const outputHelp = "text, json or yaml"

// structured writes an object for programs; done is false when the format is for people.
func structured(out io.Writer, format string, object any) (done bool, err error) {
	var raw []byte
	switch format {
	case "text":
		return false, nil
	case "json":
		raw, err = json.MarshalIndent(object, "", "  ")
		raw = append(raw, '\n')
	case "yaml":
		raw, err = yaml.Marshal(object)
	default:
		return true, fmt.Errorf("--output %q is not known: use %s", format, outputHelp)
	}
	if err == nil {
		_, err = out.Write(raw)
	}
	return true, err
}

// writeStatuses is a table of 80 columns for names of ordinary length.
func writeStatuses(out io.Writer, migrations []v1alpha1.Migration, namespaces bool) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
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
			orDash(string(status.Phase)), orDash(string(status.Management)), orDash(batch), orDash(status.ClustersDone), why(migration))
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
	for _, condition := range status.Conditions {
		if condition.Type == v1alpha1.ConditionApproved && condition.Status == metav1.ConditionTrue && status.Plan != nil {
			fmt.Fprintf(out, "Plan %s is %s\n", status.Plan.Hash, condition.Message)
		}
	}
	if status.Failure != nil {
		fmt.Fprintf(out, "Attempt %d failed %s (%s, %s): %s\n", status.Failure.Attempt, status.Failure.Time.UTC().Format("2006-01-02 15:04:05"),
			status.Failure.Reason, status.Failure.Action, status.Failure.Message)
	}
	fmt.Fprintln(out, "\nClusters")
	table := tabwriter.NewWriter(out, 2, 4, 3, ' ', 0)
	fmt.Fprintln(table, "  NAME\tSTATE\tREPLICAS\tPODS BEFORE\tPODS AFTER\tREVISION")
	for _, cluster := range status.Clusters {
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
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nObjects")
	for _, resource := range status.Resources {
		where := "in " + strings.Join(resource.Clusters, ", ")
		if resource.Policy == "" {
			where = "static: " + resource.Note
		}
		fmt.Fprintf(out, "  %s/%s %s\n", strings.ToLower(resource.Kind), resource.Name, where)
	}
	fmt.Fprintln(out, "\nHistory")
	for _, entry := range status.History {
		fmt.Fprintf(out, "  %s %s: %s\n", entry.Time.UTC().Format("2006-01-02 15:04:05"), entry.Phase, entry.Message)
	}
	return nil
}

func reason(migration *v1alpha1.Migration) string {
	for _, condition := range migration.Status.Conditions {
		if condition.Type == v1alpha1.ConditionAdvancing {
			return condition.Reason
		}
	}
	return ""
}

func advancing(migration *v1alpha1.Migration) string {
	for _, condition := range migration.Status.Conditions {
		if condition.Type == v1alpha1.ConditionAdvancing {
			return condition.Reason + ": " + condition.Message
		}
	}
	return "the controller has not looked at it yet"
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
