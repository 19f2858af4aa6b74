package compat

import (
	"cmp"
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
	"github.com/argosy-dev/argosy/test/lab/binaries"
)

var (
	karmadas = flag.String("karmada", "", "versions of Karmada to play on, such as 1.16,1.17,1.18")
	members  = flag.String("kubernetes", "", "version of the members' Kubernetes, such as 1.33; empty is the base's")
	only     = flag.String("scene", "", "scenes of the demo to play, such as spread,cronhpa; empty is all, none is none")
	told     = flag.String("stories", "", "stories of test/e2e to play, such as migration,fedhpa; empty is all, none is none")
	part     = flag.String("tests", "", "of the stories, only tests that match this, as in -run of go test: a long story is played in parts")
)

// TestCompat needs minutes and one federation a version.
func TestCompat(t *testing.T) {
	if *karmadas == "" {
		t.Skip("no versions are named: run make test-compat")
	}
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	scenes, err := selectScenes(*only)
	if err != nil {
		t.Fatal(err)
	}
	stories, err := selectStories(*told)
	if err != nil {
		t.Fatal(err)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	heading := []string{"Karmada", "members"}
	if len(scenes) > 0 {
		heading = append(heading, "ready")
	}
	for _, scene := range scenes {
		heading = append(heading, scene.Name)
	}
	for _, story := range stories {
		heading = append(heading, "stories of "+story.name)
	}
	fmt.Fprintln(table, strings.Join(heading, "\t"))
	for version := range strings.SplitSeq(*karmadas, ",") {
		t.Run(version, func(t *testing.T) {
			row := append([]string{version, cmp.Or(*members, binaries.BaseKubernetes)}, play(t, version, scenes)...)
			for _, story := range stories {
				row = append(row, story.play(t, version))
			}
			fmt.Fprintln(table, strings.Join(row, "\t"))
		})
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
}

func selectScenes(names string) ([]demo.Scene, error) {
	switch names {
	case none:
		return nil, nil
	case "":
		return demo.Scenes(), nil
	}
	return demo.Select(demo.Scenes(), strings.Split(names, ","))
}

// play returns the cells of the version's row: how long the federation took, and of each scene how many expectations were met.
func play(t *testing.T, version string, scenes []demo.Scene) []string {
	if len(scenes) == 0 {
		return nil
	}
	options := lab.DefaultOptions()
	options.Karmada, options.MemberKubernetes, options.Progress = version, *members, os.Stdout
	options.Reschedule = []string{"demo-reschedule"}
	l, closeLab, err := lab.Run(context.Background(), options)
	if err != nil {
		t.Errorf("starting a federation: %v", err)
		return append([]string{"no"}, make([]string, len(scenes))...)
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
		failed := report.Wrong()
		for _, row := range failed {
			t.Errorf("%s: %s: expected %s, seen %s", scene.Name, row.What, row.Expected, row.Seen)
		}
		cells = append(cells, fmt.Sprintf("%d of %d, %.0f s", len(report.Rows)-len(failed), len(report.Rows), report.Took.Seconds()))
	}
	return cells
}
