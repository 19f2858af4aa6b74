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

var (
	minutes = flag.Float64("minutes", 1.5, "of load")
	seed    = flag.Uint64("seed", 1, "of operations and faults")
	only    = flag.String("only", "", "nemeses, comma separated; empty is all")
	audit   = flag.Bool("audit", true, "join who wrote what, from audit logs")
	saved   = flag.String("history", "", "a file that an earlier run left: it is judged, and nothing is run")
)

func TestNemesis(t *testing.T) {
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	options := nemesis.Options{Length: time.Duration(*minutes * float64(time.Minute)), Seed: *seed, Audit: *audit, Out: os.Stdout}
	if *only != "" {
		options.Only = strings.Split(*only, ",")
	}
	found, err := run(options)
	if err != nil {
		t.Fatal(err)
	}
	found.Write(os.Stdout)
	for _, v := range found.Verdicts {
		for _, one := range v.Violations {
			t.Errorf("%s: %s: %s", v.Name, one.Key, one.What)
		}
	}
	if *saved == "" {
		keep(t, found)
	}
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
	path := filepath.Join(root, "_artifacts", "nemesis-history.json")
	content, err := json.Marshal(found.History)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("the history is in %s; again: %s", path, found.Replay())
}
