package compat

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	karmadas = flag.String("karmada", "", "versions of Karmada to play on, such as 1.16,1.17,1.18")
	only     = flag.String("scene", "", "scenes of the demo to play, such as spread,cronhpa; empty is all")
)

// TestCompat needs minutes and one federation a version.
func TestCompat(t *testing.T) {
	if *karmadas == "" {
		t.Skip("no versions are named: run make test-compat")
	}
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	var names []string
	if *only != "" {
		names = strings.Split(*only, ",")
	}
	scenes, err := demo.Select(demo.Scenes(), names)
	if err != nil {
		t.Fatal(err)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	heading := []string{"Karmada", "ready"}
	for _, scene := range scenes {
		heading = append(heading, scene.Name)
	}
	fmt.Fprintln(table, strings.Join(heading, "\t"))
	for version := range strings.SplitSeq(*karmadas, ",") {
		t.Run(version, func(t *testing.T) {
			fmt.Fprintln(table, strings.Join(append([]string{version}, play(t, version, scenes)...), "\t"))
		})
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
}

// play returns the cells of the version's row: how long the federation took, and of each scene how many expectations were met.
func play(t *testing.T, version string, scenes []demo.Scene) []string {
	options := lab.DefaultOptions()
	options.Karmada, options.Progress = version, os.Stdout
	l, closeLab, err := lab.Run(context.Background(), options)
	if err != nil {
		t.Errorf("starting a federation: %v", err)
		return []string{"no"}
	}
	defer func() { closeLab(t.Failed()) }()
	cells := []string{fmt.Sprintf("%.0f s", l.ReadySeconds)}
	for _, scene := range scenes {
		report, err := demo.Play(t.Context(), demo.Options{Lab: l, Scenes: []demo.Scene{scene}, Out: t.Output()})
		if err != nil {
			t.Errorf("%s: %v", scene.Name, err)
			cells = append(cells, "broken off")
			continue
		}
		failed := report.Failed()
		for _, row := range failed {
			t.Errorf("%s: %s: expected %s, seen %s", scene.Name, row.What, row.Expected, row.Seen)
		}
		cells = append(cells, fmt.Sprintf("%d of %d, %.0f s", len(report.Rows)-len(failed), len(report.Rows), report.Took.Seconds()))
	}
	return cells
}
