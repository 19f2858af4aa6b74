package nemesis

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/nemesis/checker"
	"github.com/argosy-dev/argosy/test/nemesis/history"
	"github.com/argosy-dev/argosy/test/nemesis/nemesis"
	"github.com/argosy-dev/argosy/test/nemesis/report"
	"github.com/argosy-dev/argosy/test/nemesis/workload"
)

// Options of a run.
type Options struct {
	// Length of the load; the start, the calm and the end come on top.
	Length time.Duration
	Seed   uint64
	// Only these nemeses; empty is all.
	Only []string
	// Audit joins who wrote what; without it, C3, C13 and C15 have nothing to judge.
	Audit bool
	// Out gets progress.
	Out io.Writer
}

// Names checks Only.
func (o Options) names() ([]string, error) {
	if len(o.Only) == 0 {
		return nemesis.All(), nil
	}
	for _, name := range o.Only {
		if name != nemesis.Unseen && !slices.Contains(nemesis.All(), name) {
			return nil, fmt.Errorf("no nemesis is called %q; there are: %s", name, strings.Join(nemesis.All(), ", "))
		}
	}
	return o.Only, nil
}

// namespace of all applications of a run.
const namespace = "nemesis"

// run is one that goes on.
type run struct {
	Options
	names     []string
	clock     clock.Clock
	lab       *lab.Lab
	history   *history.Collector
	hostile   *nemesis.Hostile
	users     *workload.Users
	moving    *workload.Moving
	approvers *workload.Approvers
	report    report.Report
	begun     time.Time
	pressures pressures
	// used is the CPU that this process took before.
	used time.Duration
}

// Run starts a federation, lets users and nemeses act on it, and judges it. An error says that there was no run; what was found is in the
// report.
func Run(ctx context.Context, o Options) (report.Report, error) {
	names, err := o.names()
	if err != nil {
		return report.Report{}, err
	}
	r := &run{Options: o, names: names, clock: clock.RealClock{}, used: harness()}
	r.begun = r.clock.Now()
	wires := nemesis.NewWires(r.clock)
	l, closeLab, err := lab.Run(ctx, r.labOptions(wires))
	if err != nil {
		return report.Report{}, fmt.Errorf("starting a federation: %w", err)
	}
	failed := true
	defer func() { closeLab(failed) }()
	r.lab = l
	if err := r.prepare(ctx, wires); err != nil {
		return report.Report{}, err
	}
	defer r.history.Close()
	if err := r.play(ctx); err != nil {
		return report.Report{}, err
	}
	r.report.Servers = r.servers(ctx)
	err = r.judge()
	failed = err != nil || r.report.Failed()
	return r.report, err
}

// labOptions: small members, which fill up; Karmada evicts from tainted clusters and deschedules.
func (r *run) labOptions(wires *nemesis.Wires) lab.Options {
	o := lab.DefaultOptions()
	o.Nodes, o.NodeCPU = []int{3, 3, 3}, "2"
	o.MemberRoute, o.Audit, o.Descheduler, o.ShippedWebhooks = wires.Route, r.Audit, true, true
	o.Flags = map[string][]string{
		"karmada/controller-manager": {
			"--enable-no-execute-taint-eviction=true", "--feature-gates=Failover=true", "--graceful-eviction-timeout=1m",
		},
	}
	return o
}

func (r *run) prepare(ctx context.Context, wires *nemesis.Wires) error {
	karmada, err := reach(r.lab, lab.KarmadaPlaneName)
	if err != nil {
		return err
	}
	members := map[string]client.Client{}
	for _, name := range r.lab.Members {
		if members[name], err = reach(r.lab, name); err != nil {
			return err
		}
	}
	if r.history, err = history.Watch(ctx, r.lab.Etcd, r.clock); err != nil {
		return err
	}
	r.users = &workload.Users{Karmada: karmada, Members: members, Namespace: namespace, Clock: r.clock, Note: r.history.Note}
	admin, err := r.lab.Karmada()
	if err != nil {
		return err
	}
	r.moving = &workload.Moving{Admin: admin, Karmada: karmada, Members: members, Clock: r.clock, Note: r.history.Note}
	r.approvers = &workload.Approvers{
		Admin: admin, Karmada: karmada, Release: client.ObjectKey{Namespace: namespace, Name: workload.Staged},
		Clock: r.clock, Note: r.history.Note,
	}
	r.hostile = &nemesis.Hostile{
		Lab: r.lab, Wires: wires, Karmada: karmada, Members: members, Clock: r.clock, Note: r.history.Note, Find: find,
	}
	return nil
}

// find is an application's template by its name; the empty one has the namespace only.
func find(app string) *unstructured.Unstructured {
	apps := workload.Apps()
	i := slices.IndexFunc(apps, func(a workload.App) bool { return a.Name == app })
	if i < 0 {
		u := &unstructured.Unstructured{}
		u.SetNamespace(namespace)
		return u
	}
	return apps[i].Object(namespace)
}

// reach is a client that takes no trouble for nothing: what fails is the users' to try again.
func reach(l *lab.Lab, plane string) (client.Client, error) {
	config, err := l.Config(plane)
	if err != nil {
		return nil, err
	}
	config.Timeout = 15 * time.Second
	scheme, err := demo.NewScheme()
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// ground is what faults may be aimed at: what holds the history is not.
func (r *run) ground(ctx context.Context) (nemesis.Ground, error) {
	units, err := r.lab.Status(ctx)
	if err != nil {
		return nemesis.Ground{}, err
	}
	g := nemesis.Ground{Members: r.lab.Members, Apps: []string{workload.Plain, workload.Push, workload.Fed, workload.FedSet}}
	for _, u := range units {
		switch {
		case u.PID == 0 || u.Name == "etcd" || strings.HasSuffix(u.Name, "/usage") || strings.HasSuffix(u.Name, "/kwok"):
		case strings.HasPrefix(u.Name, "argosy/"):
			g.Processes = append(g.Processes, u.Name, u.Name, u.Name) // ours more often than others'
		default:
			g.Processes = append(g.Processes, u.Name)
		}
	}
	return g, nil
}

func (r *run) play(ctx context.Context) error {
	ground, err := r.ground(ctx)
	if err != nil {
		return err
	}
	apps := workload.Apps()
	ops := workload.Generate(r.Seed, r.Length, apps, r.lab.Members)
	r.report = report.Report{Seed: r.Seed, Length: r.Length, Only: r.Only, Schedule: nemesis.Schedule(r.Seed, r.Length, r.names, ground)}

	ctx, end := context.WithCancel(ctx)
	defer end()
	kept := r.keep(ctx)
	defer kept()
	if err := r.phase(ctx, history.PhaseStart, ""); err != nil {
		return err
	}
	if err := r.users.Begin(ctx, apps); err != nil {
		return err
	}
	defer r.users.End()
	if err := r.moving.Begin(ctx); err != nil {
		return err
	}
	if left, _ := r.settle(ctx); len(left) > 0 {
		return fmt.Errorf("the applications did not come up, before anything was done to them: %s", strings.Join(left, "; "))
	}
	if err := r.phase(ctx, history.PhaseLoad, ""); err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.users.Work(ctx, r.Length, apps, ops) })
	wg.Go(func() { r.moving.Work(ctx, r.Length) })
	wg.Go(func() { r.hostile.Play(ctx, r.report.Schedule) })
	// People approve until all is at rest: a release would wait for them for good.
	var people sync.WaitGroup
	attended, leave := context.WithCancel(ctx)
	people.Go(func() { r.approvers.Work(attended) })
	wg.Wait()
	doubt, err := r.calm(ctx)
	leave()
	people.Wait()
	if err != nil {
		return err
	}
	return r.rest(ctx, doubt)
}

// calm lets everything come to rest, and returns the doubt whether it had the time.
func (r *run) calm(ctx context.Context) (doubt string, err error) {
	if err := r.phase(ctx, history.PhaseCalm, ""); err != nil {
		return "", err
	}
	_, doubt = r.settle(ctx)
	return doubt, nil
}

// rest is what is left to judge; then everything goes.
func (r *run) rest(ctx context.Context, doubt string) error {
	if err := r.phase(ctx, history.PhaseRest, doubt); err != nil {
		return err
	}
	r.users.End()
	if err := r.users.Leave(ctx); err != nil {
		return err
	}
	_, doubt = r.await(ctx, checker.Remains)
	return r.phase(ctx, history.PhaseGone, doubt)
}

func (r *run) phase(ctx context.Context, name, doubt string) error {
	fmt.Fprintf(r.Out, "  %5.1f s  %s%s\n", r.clock.Since(r.begun).Seconds(), name, doubt)
	return r.history.Note(ctx, history.Note{Kind: history.Phase, Name: name, Text: doubt})
}

// settle waits until all is as its owners want it, and returns what is not.
func (r *run) settle(ctx context.Context) (left []string, doubt string) {
	return r.await(ctx, checker.Unsettled)
}

const (
	// spare is how many seconds with CPU to spare things may take to come to rest.
	spare = 120
	// longest is how long that may take in all on a machine that has none to spare.
	longest = 5 * time.Minute
)

// await looks until nothing is left, for as long as things may take. There is a doubt when that time never came, since the machine was
// busy.
func (r *run) await(ctx context.Context, left func(history.History) []string) (open []string, doubt string) {
	begun, idle := r.clock.Now(), r.pressures.spared()
	for {
		h, err := r.history.SoFar()
		if err != nil {
			return []string{err.Error()}, ""
		}
		open = left(h)
		switch {
		case len(open) == 0 || r.pressures.spared()-idle >= spare:
			return open, ""
		case r.clock.Since(begun) > longest:
			return open, fmt.Sprintf(" inconclusive: the machine had %d seconds to spare of %.0f", r.pressures.spared()-idle, longest.Seconds())
		}
		select {
		case <-ctx.Done():
			return open, ""
		case <-r.clock.After(time.Second):
		}
	}
}

// judge lets every checker read the history.
func (r *run) judge() error {
	h, err := r.history.SoFar()
	if err != nil {
		return err
	}
	if r.Audit {
		logs := map[string]string{}
		for plane := range r.lab.Kubeconfigs {
			logs[plane] = r.lab.AuditLog(plane)
		}
		if err := h.Sign(logs); err != nil {
			return err
		}
	}
	happened, failures := r.hostile.Happened()
	r.report.Happened, r.report.Failures, r.report.Operations = happened, failures, r.users.Done()
	maps.Copy(r.report.Operations, r.moving.Done())
	maps.Copy(r.report.Operations, r.approvers.Done())
	r.report.Took, r.report.Spared = r.clock.Since(r.begun), r.pressures.spared()
	r.report.Seen, r.report.Stalls = r.history.Seen(), r.pressures.stalls()
	r.report.History, r.report.Harness, r.report.Died = h, harness()-r.used, died(h)
	r.report.Verdicts = checker.All(h)
	return nil
}
