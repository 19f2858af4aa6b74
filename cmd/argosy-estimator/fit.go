package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	karmada "github.com/karmada-io/karmada/pkg/generated/clientset/versioned"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/account"
	"github.com/argosy-dev/argosy/estimator/fleet"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/plugins"
	"github.com/argosy-dev/argosy/estimator/server"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/internal/config"
)

// fit answers a person, by way of `argosyctl fit`: it reads objects as a JSON list, asks the members' schedulers here, on copies of the
// members' state read now, and writes accounts as a JSON list. What is no workload is told on said.
type fit struct {
	flags                            *genericclioptions.ConfigFlags
	clusters                         []string
	schedulerConfig, estimatorConfig string
	timeout                          time.Duration
	in                               io.Reader
	out, said                        io.Writer
}

// fitCommand is the first argument that makes this program answer once instead of serving.
const fitCommand = "fit"

func runFit(ctx context.Context, args []string, in io.Reader, out, said io.Writer) error {
	f := &fit{flags: genericclioptions.NewConfigFlags(false), in: in, out: out, said: said}
	// --cluster is a member here, as in argosyctl fit.
	f.flags.ClusterName = nil
	flags := pflag.NewFlagSet("argosy-estimator fit", pflag.ContinueOnError)
	flags.SetOutput(said)
	f.flags.AddFlags(flags)
	flags.StringArrayVar(&f.clusters, "cluster", nil, "members to ask; default all")
	flags.StringVar(&f.schedulerConfig, "scheduler-config", "", "KubeSchedulerConfiguration of the members' schedulers")
	flags.StringVar(&f.estimatorConfig, "estimator-config", "", "EstimatorConfiguration, for its workloadKinds")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for members, which are read side by side")
	if err := flags.Parse(args); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag: `argosyctl fit -f FILE` calls this with what is needed", flags.Arg(0))
	}
	accounts, err := f.answer(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(accounts)
}

func (f *fit) answer(ctx context.Context) ([]account.Workload, error) {
	kinds, err := f.kinds()
	if err != nil {
		return nil, err
	}
	workloads, err := f.workloads(kinds)
	if err != nil {
		return nil, err
	}
	configuration, err := oracle.LoadConfiguration(f.schedulerConfig, plugins.Registry())
	if err != nil {
		return nil, err
	}
	members, err := f.members(ctx)
	if err != nil {
		return nil, err
	}
	// The mirrors' log is that of the program that serves; what goes wrong here comes back as errors.
	ctx = klog.NewContext(ctx, logr.Discard())
	probe := 5 * time.Second
	known := fleet.New(func(string) (mirror.Config, error) {
		return mirror.Config{Configuration: configuration, Plugins: plugins.Registry(), Clock: clock.RealClock{},
			ProbeEvery: probe, ProbeTimeout: probe, FreshFor: time.Hour, KeepFor: time.Hour}, nil
	})
	// They are read side by side from here on: those that do not answer cost the timeout once, however many they are.
	reading, stop := context.WithTimeout(ctx, f.timeout)
	defer stop()
	for _, member := range members {
		if member.unreached == nil {
			known.Join(ctx, member.name, member.connection)
		}
	}
	asked := server.New(server.Options{Members: known, Kinds: kinds, Clock: clock.RealClock{}})
	accounts := make([]account.Workload, 0, len(workloads))
	for _, workload := range workloads {
		of := account.Workload{
			APIVersion: workload.GetAPIVersion(), Kind: workload.GetKind(), Namespace: workload.GetNamespace(), Name: workload.GetName(),
		}
		for _, member := range members {
			read, err := f.await(reading, known, member)
			if err != nil {
				of.Members = append(of.Members, account.Member{Cluster: member.name, Error: err.Error()})
				continue
			}
			of.Members = append(of.Members, ask(ctx, asked, read, member.name, workload))
		}
		accounts = append(accounts, of)
	}
	return accounts, ctx.Err()
}

// ask a member that has been read.
func ask(ctx context.Context, asked *server.Server, read *mirror.Member, name string, workload *unstructured.Unstructured) account.Member {
	answer, err := asked.Explain(ctx, read, workload)
	if err != nil {
		return account.Member{Cluster: name, Error: err.Error()}
	}
	return accountOf(name, answer)
}

// accountOf says what the oracle found as a person is told it.
func accountOf(cluster string, answer oracle.Answer) account.Member {
	of := account.Member{
		Cluster: cluster, Fits: &answer.Count, Exact: answer.Exact, Doubt: string(answer.Doubt), TimedOut: answer.TimedOut,
		LimitedBy: answer.Limits, Reason: strings.TrimSuffix(answer.Why, "."),
	}
	delete(of.LimitedBy, "")
	for _, node := range answer.Nodes {
		of.Nodes = append(of.Nodes, account.Node{Node: node.Node, Takes: node.Copies, LimitedBy: node.Stopped})
	}
	return of
}

// kinds are those that the estimator's configuration names.
func (f *fit) kinds() (template.Kinds, error) {
	if f.estimatorConfig == "" {
		return nil, nil
	}
	cfg, err := config.LoadEstimator(f.estimatorConfig)
	if err != nil {
		return nil, fmt.Errorf("--estimator-config: %w", err)
	}
	return template.KindsOf(cfg.WorkloadKinds), nil
}

// workloads are the objects that have pods; Services, policies and what else belongs to an application may stand beside them, and are
// named.
func (f *fit) workloads(kinds template.Kinds) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	if err := json.NewDecoder(f.in).Decode(&objects); err != nil {
		return nil, fmt.Errorf("reading objects from standard input, a JSON list: %w", err)
	}
	var workloads []*unstructured.Unstructured
	for _, object := range objects {
		_, ok, err := kinds.Of(object)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if !ok {
			fmt.Fprintf(f.said, "%s %s: no pods are made of it, or not of a template at spec.template: not asked about "+
				"(--estimator-config names further kinds)\n", object.GetKind(), object.GetName())
			continue
		}
		workloads = append(workloads, object)
	}
	if len(workloads) == 0 {
		return nil, errors.New("there is no workload with a pod template among the objects")
	}
	return workloads, nil
}

// reached is a member to ask, and how it is reached; or why it cannot be.
type reached struct {
	name       string
	connection fleet.Connection
	unreached  error
}

// members are those asked for, or all.
func (f *fit) members(ctx context.Context) ([]reached, error) {
	control, err := f.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of karmada-apiserver: %w", err)
	}
	control.QPS = -1 // the server has a limit of its own
	clusters, err := karmada.NewForConfig(control)
	if err != nil {
		return nil, fmt.Errorf("building a Karmada client: %w", err)
	}
	secrets, err := kubernetes.NewForConfig(control)
	if err != nil {
		return nil, fmt.Errorf("building a Kubernetes client: %w", err)
	}
	list, err := clusters.ClusterV1alpha1().Clusters().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing clusters: %w", err)
	}
	names := f.clusters
	if len(names) == 0 {
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
	}
	var out []reached
	for _, name := range names {
		at := slices.IndexFunc(list.Items, func(c clusterv1alpha1.Cluster) bool { return c.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no Cluster %q", name)
		}
		one := reached{name: name}
		one.connection, one.unreached = fleet.ConnectionOf(ctx, secrets, &list.Items[at])
		out = append(out, one)
	}
	return out, nil
}

// await that a member has been read, until ctx ends.
func (f *fit) await(ctx context.Context, known *fleet.Fleet, one reached) (*mirror.Member, error) {
	if one.unreached != nil {
		return nil, one.unreached
	}
	var member *mirror.Member
	var why error
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		member, why = known.Member(one.name)
		return why == nil, nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("not read within %s", f.timeout), why)
	}
	return member, nil
}
