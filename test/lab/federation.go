package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/pki"
)

// federation is a lab whose processes are this process's children.
type federation struct {
	work *workspace
	// members is the same, with the programs of the members' Kubernetes.
	members *workspace
	runner  *runner
	info    Info

	// progress is written under lock: units become ready in parallel.
	lock     sync.Mutex
	progress io.Writer
	started  time.Time
	total    int
	ready    int
	whole    bool
}

func newFederation(ctx context.Context, opts Options) (*federation, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the state folder: %w", err)
	}
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	w, err := newWorkspace(ctx, dir, opts.Karmada, opts.Progress, opts.programs()...)
	if err != nil {
		return nil, err
	}
	var inMembers []string
	if opts.Metrics || !opts.Stock {
		inMembers = append(inMembers, labProgram)
	}
	if !opts.Stock {
		inMembers = append(inMembers, memberManager)
	}
	if len(inMembers) > 0 {
		own, err := binaries.BuildOwn(ctx, binaries.Options{Root: w.root, Progress: opts.Progress}, inMembers...)
		if err != nil {
			return nil, err
		}
		maps.Copy(w.programs, own)
	}
	members, err := w.withKubernetes(ctx, opts.MemberKubernetes, opts.Progress)
	if err != nil {
		return nil, err
	}
	f := &federation{work: w, members: members, progress: opts.Progress}
	if err := f.plan(ctx, opts); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// plan chooses ports, writes kubeconfigs and lists the units; it starts nothing.
func (f *federation) plan(ctx context.Context, opts Options) error {
	w := f.work
	var store etcd
	if err := w.take(&store.clientPort, &store.peerPort); err != nil {
		return err
	}
	k, err := newKarmadaPlane(w, store, opts)
	if err != nil {
		return err
	}
	f.info = Info{
		Dir: w.dir, Root: w.root, KarmadaVersion: opts.Karmada, Stock: opts.Stock, Etcd: store.url(),
		Kubeconfigs: map[string]string{}, Endpoints: map[string]string{}, Programs: w.programs,
	}
	if err := f.addPlane(k.server); err != nil {
		return err
	}
	if !opts.Stock {
		if err := w.take(&k.estimator); err != nil {
			return err
		}
	}
	etcdSpec := store.spec(w)
	units := append([]unit{{Name: "etcd", Process: &etcdSpec}}, k.units()...)
	machines, err := f.machineUnit(f.members, opts)
	if err != nil {
		return err
	}
	units = append(units, machines...)
	for i := range opts.Nodes {
		m, err := newMember(f.members, k, opts, i)
		if err != nil {
			return err
		}
		if err := f.addPlane(m.server); err != nil {
			return err
		}
		f.info.Members = append(f.info.Members, m.name)
		units = append(units, m.units()...)
		manager, err := m.managerUnits()
		if err != nil {
			return err
		}
		units = append(units, manager...)
	}
	if !opts.Stock {
		parts, err := f.argosyUnits(ctx, k, opts)
		if err != nil {
			return err
		}
		units = append(units, parts...)
	}
	return f.runs(units, opts)
}

// runs is the last of the plan: the units as they are started.
func (f *federation) runs(units []unit, opts Options) error {
	if err := addFlags(units, opts.Flags); err != nil {
		return err
	}
	if err := f.mergeKubeconfigs(); err != nil {
		return err
	}
	for i := range units {
		// Several programs give up at once when the API server is slow to answer their first question: in a cluster they would be started again.
		units[i].Deaths = deathsForgiven
	}
	f.total = len(units)
	f.runner = newRunner(units, f.changed)
	return nil
}

// addFlags gives components flags beyond those they run with in every lab; of a flag given twice the last counts.
func addFlags(units []unit, flags map[string][]string) error {
	for name, more := range flags {
		i := slices.IndexFunc(units, func(u unit) bool { return u.Name == name && u.Process != nil })
		if i < 0 {
			return fmt.Errorf("no process of this lab is called %q", name)
		}
		units[i].Process.Args = append(units[i].Process.Args, more...)
	}
	return nil
}

// deathsForgiven each process until it serves.
const deathsForgiven = 2

func (f *federation) addPlane(server apiServer) error {
	path := server.kubeconfig(f.work)
	f.info.Kubeconfigs[server.name] = path
	return f.work.writeKubeconfig(path, server.name, server.url())
}

// mergeKubeconfigs writes one file with a context for each plane, for a person's kubectl.
func (f *federation) mergeKubeconfigs() error {
	merged := clientcmdapi.NewConfig()
	for name, path := range f.info.Kubeconfigs {
		cfg, err := clientcmd.LoadFromFile(path)
		if err != nil {
			return fmt.Errorf("reading the kubeconfig of %s: %w", name, err)
		}
		maps.Copy(merged.Clusters, cfg.Clusters)
		maps.Copy(merged.AuthInfos, cfg.AuthInfos)
		maps.Copy(merged.Contexts, cfg.Contexts)
	}
	merged.CurrentContext = KarmadaPlaneName
	f.info.Kubeconfig = filepath.Join(f.work.dir, "kubeconfig")
	return pki.WriteKubeconfig(merged, f.info.Kubeconfig)
}

// up starts everything and returns when the federation is whole.
func (f *federation) up(ctx context.Context) error {
	f.started = f.work.clock.Now()
	done := make(chan struct{})
	defer close(done)
	go f.sayWhatIsAwaited(done)
	if err := f.runner.start(ctx, ""); err != nil {
		return err
	}
	f.lock.Lock()
	f.whole = true
	f.lock.Unlock()
	f.info.ReadySeconds = seconds(f.work.clock.Since(f.started))
	return f.writeInfo()
}

func (f *federation) writeInfo() error {
	content, err := json.MarshalIndent(f.info, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the lab's state: %w", err)
	}
	return os.WriteFile(filepath.Join(f.work.dir, infoFile), append(content, '\n'), 0o644)
}

const infoFile = "lab.json"

// close ends every process. It is safe to call at any time, and again.
func (f *federation) close() {
	if f.runner != nil {
		f.runner.close()
	}
	f.work.ports.Close()
}

// changed shows progress while the lab starts, and what happens to it afterwards.
func (f *federation) changed(name string, state State, err error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	since := f.work.clock.Since(f.started).Seconds()
	switch {
	case state == Ready && !f.whole:
		f.ready++
		fmt.Fprintf(f.progress, "  %5.1f s  %2d/%d ready  %s\n", since, f.ready, f.total, name)
	case state == Starting && err != nil:
		fmt.Fprintf(f.progress, "  %5.1f s  starting %s again: %v\n", since, name, err)
	case f.whole && err != nil:
		fmt.Fprintf(f.progress, "%s is %s: %v\n", name, state, err)
	case f.whole:
		fmt.Fprintf(f.progress, "%s is %s\n", name, state)
	}
}

// sayWhatIsAwaited names what is not ready yet whenever nothing was said for a while.
func (f *federation) sayWhatIsAwaited(done <-chan struct{}) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	before := -1
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		var names []string
		for _, u := range f.runner.status() {
			if u.State == Starting {
				names = append(names, u.Name)
			}
		}
		f.lock.Lock()
		if f.ready == before {
			fmt.Fprintf(f.progress, "  %5.1f s  waiting for %s\n", f.work.clock.Since(f.started).Seconds(), strings.Join(names, ", "))
		}
		before = f.ready
		f.lock.Unlock()
	}
}

// Stop ends the processes of a plane or one component at once, as a power cut would.
func (f *federation) Stop(_ context.Context, name string) error {
	if err := f.runner.check(name); err != nil {
		return err
	}
	f.runner.stop(name)
	return nil
}

// Start brings a stopped plane or component back and waits until it is ready.
func (f *federation) Start(ctx context.Context, name string) error {
	if err := f.runner.check(name); err != nil {
		return err
	}
	return f.runner.start(ctx, name)
}

// Status lists every unit.
func (f *federation) Status(context.Context) ([]UnitStatus, error) { return f.runner.status(), nil }
