package nemesis

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/nemesis"
	"github.com/argosy-dev/argosy/test/nemesis/checker"
	"github.com/argosy-dev/argosy/test/nemesis/report"
)

// Without flags it is the run of make test.
var (
	minutes = flag.Float64("minutes", 2, "of load")
	seed    = flag.Uint64("seed", 17, "of operations and faults")
	only    = flag.String("only", "kill,cut,slow,hand-scale,rebalance", "nemeses, comma separated; empty is all")
	demand  = flag.String("demand", "scale,image,partition,load,scale-in,touch,ship,approve-stage,enlist,C1,C2,C4,C5,C8,C12,C13,C15",
		"operations, and checkers with something to judge, without one of which it was no run, comma separated")
	audit = flag.Bool("audit", true, "join who wrote what, from audit logs")
	saved = flag.String("history", "", "a file that an earlier run left: it is judged, and nothing is run")
)

func TestMain(m *testing.M) {
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	os.Exit(m.Run())
}

func TestNemesis(t *testing.T) {
	if *cover != "" {
		t.Skip("the covering design is played, TestCover")
	}
	options := nemesis.Options{
		Length: time.Duration(*minutes * float64(time.Minute)), Seed: *seed, Only: named(*only), Audit: *audit, Out: os.Stdout,
	}
	found, err := run(options)
	if err != nil {
		t.Fatal(err)
	}
	found.Write(os.Stdout)
	if *saved == "" {
		for _, what := range found.Idle(named(*demand)) {
			t.Errorf("that was no run: %s", what)
		}
	}
	for _, v := range found.Verdicts {
		for _, one := range v.Violations {
			t.Errorf("%s: %s: %s", v.Name, one.Key, one.What)
		}
	}
	if *saved == "" {
		keep(t, found)
	}
}

// named are the names of a list, none of an empty one.
func named(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func run(options nemesis.Options) (report.Report, error) {
	if *saved == "" {
		return nemesis.Run(context.Background(), options)
	}
	content, err := os.ReadFile(*saved)
	if err != nil {
		return report.Report{}, err
	}
	found := report.Report{}
	if err := json.Unmarshal(content, &found.History); err != nil {
		return found, err
	}
	found.Verdicts = checker.All(found.History)
	return found, nil
}

// keep leaves the history of a run that failed.
func keep(t *testing.T, found report.Report) {
	t.Helper()
	if !t.Failed() {
		return
	}
	root, err := binaries.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "_artifacts", "nemesis-history.json"), found)
}

func write(t *testing.T, path string, found report.Report) {
	t.Helper()
	content, err := json.Marshal(found.History)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the history is in %s; again: %s", path, found.Replay())
}
