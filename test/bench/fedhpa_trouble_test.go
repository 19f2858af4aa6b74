package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/fedhpaplane"
)

var (
	troubleFedHPAs  = flag.Int("trouble-fedhpas", 10_000, "TestFedHPAInTrouble: how many FedHPAs")
	troubleClusters = flag.Int("trouble-clusters", 100, "TestFedHPAInTrouble: over how many clusters, three each")
	troubleFor      = flag.Duration("trouble-for", 2*time.Minute, "TestFedHPAInTrouble: how long each span is measured")
)

// troubleCores is the aim of issue 15: ten thousand FedHPAs that all wait for a scheduler that is down.
const troubleCores = 0.5

// TestFedHPAInTrouble measures what a fleet of FedHPAs costs while karmada-scheduler is down and every one of them waits for it.
func TestFedHPAInTrouble(t *testing.T) {
	Only(t)
	plane, err := fedhpaplane.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Close)
	ctrl.SetLogger(logr.Discard())
	f := &fedhpaFleet{
		t: t, clock: clock.RealClock{}, plane: plane, patience: max(5*time.Minute, time.Duration(*troubleFedHPAs)*150*time.Millisecond),
	}
	for i := range *troubleClusters {
		f.must(plane.Join(t.Context(), clusterName(i)))
	}
	for i := range *troubleFedHPAs {
		var clusters []workv1alpha2.TargetCluster
		for k := range 3 {
			clusters = append(clusters, workv1alpha2.TargetCluster{Name: clusterName((3*i + k) % *troubleClusters), Replicas: 2})
		}
		f.apps = append(f.apps, fedhpaplane.App{Namespace: "fleet", Name: fmt.Sprintf("app-%05d", i), Clusters: clusters})
	}
	f.each("workloads", f.plane.Propagate)
	defer f.stopped(f.plane.Run())()
	f.each("FedHPAs", func(ctx context.Context, a fedhpaplane.App) error { return f.plane.Client.Create(ctx, a.FedHPA(3, 60)) })
	f.rounds("labelled", f.deliver)
	f.rounds("first words", f.speak)
	f.rounds("active", f.active)
	f.rest(30 * time.Second)

	quiet := f.measure(func() { f.rest(*troubleFor) })
	// From here on nobody plays the scheduler: the write that each change brings about is never seen by it.
	f.each("one replica more in one member", func(ctx context.Context, a fedhpaplane.App) error {
		return f.plane.Report(ctx, a, a.Clusters[0].Name, 3)
	})
	f.rest(5 * time.Second)
	f.each("it runs", f.plane.Collect)
	early := f.measure(func() { f.rest(*troubleFor) })
	f.rest(2 * time.Minute)
	late := f.measure(func() { f.rest(*troubleFor) })

	cores := func(s spent) float64 { return s.process.Seconds() / troubleFor.Seconds() }
	fmt.Fprintf(os.Stdout, "\n### FedHPA: %d over %d clusters, karmada-scheduler down\n\n%s\n\n", *troubleFedHPAs, *troubleClusters, machine())
	fmt.Fprintf(os.Stdout, "| | CPU of the controller | with the API server | requests a minute |\n|---|---|---|---|\n")
	for _, row := range []struct {
		what string
		of   spent
	}{{"at rest", quiet}, {"every one waits, the first " + troubleFor.String(), early}, {"every one waits, later", late}} {
		fmt.Fprintf(os.Stdout, "| %s | %.3f cores | %.3f cores | %.0f |\n", row.what, cores(row.of), row.of.cpu().Seconds()/troubleFor.Seconds(),
			perMinute(row.of.plane, *troubleFor))
	}
	if got := cores(late); got > troubleCores {
		t.Errorf("the controller takes %.2f cores while all wait, the aim is %.1f", got, troubleCores)
	}
}

func clusterName(i int) string { return fmt.Sprintf("member%d", i+1) }
