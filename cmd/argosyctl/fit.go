package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-logr/logr"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	karmada "github.com/karmada-io/karmada/pkg/generated/clientset/versioned"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/fleet"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/plugins"
	"github.com/argosy-dev/argosy/estimator/server"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/internal/config"
)

const fitExample = `  # How many replicas of a workload fit each member, and what stops the next
  argosyctl fit -f deployment.yaml

  # One member, all its nodes, with the configuration of its scheduler
  argosyctl fit -f deployment.yaml --cluster member1 --all-nodes --scheduler-config member1-scheduler.yaml`

type fitOptions struct {
	genericiooptions.IOStreams
	flags           *genericclioptions.ConfigFlags
	file            string
	clusters        []string
	schedulerConfig string
	estimatorConfig string
	output          string
	allNodes        bool
	timeout         time.Duration
}

func newFitCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &fitOptions{IOStreams: streams, flags: flags}
	command := &cobra.Command{
		Use:   "fit -f FILE",
		Short: "Show how many replicas of a workload fit each member, and what stops the next",
		Long: `Show how many replicas of a workload fit each member, on which nodes, and which scheduler plugin stops the next.

Every member's own scheduler is run on a copy of the member's state, read now; nothing is written anywhere. It is the
answer argosy-estimator gives karmada-scheduler.`,
		Example: fitExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.file == "" {
				return errors.New("name the workload's file with -f")
			}
			if _, err := structured(io.Discard, o.output, nil); err != nil {
				return err
			}
			// The mirrors' log is the estimator's; what went wrong here comes back as errors.
			return o.run(klog.NewContext(c.Context(), logr.Discard()))
		},
	}
	command.Flags().StringVarP(&o.file, "filename", "f", "", `file of the workload, "-" for standard input`)
	command.Flags().StringSliceVar(&o.clusters, "cluster", nil, "members to ask (default all)")
	complete(command, "cluster", completeNames(flags, clusters))
	command.Flags().
		StringVar(&o.schedulerConfig, "scheduler-config", "",
			"KubeSchedulerConfiguration of the members' schedulers (default kube-scheduler's own)")
	command.Flags().
		StringVar(&o.estimatorConfig, "estimator-config", "",
			"EstimatorConfiguration of argosy-estimator: its workloadKinds say where further kinds keep their pod template")
	command.Flags().StringVarP(&o.output, "output", "o", "text", outputHelp)
	command.Flags().BoolVar(&o.allNodes, "all-nodes", false, "list every node, not only the first of each kind")
	command.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for a member")
	return command
}

func (o *fitOptions) run(ctx context.Context) error {
	kinds, err := o.kinds()
	if err != nil {
		return err
	}
	workloads, err := o.workloads(kinds)
	if err != nil {
		return err
	}
	configuration, err := oracle.LoadConfiguration(o.schedulerConfig, plugins.Registry())
	if err != nil {
		return err
	}
	members, connections, err := o.members(ctx)
	if err != nil {
		return err
	}
	probe := 5 * time.Second
	known := fleet.New(func(string) (mirror.Config, error) {
		return mirror.Config{Configuration: configuration, Plugins: plugins.Registry(), Clock: clock.RealClock{},
			ProbeEvery: probe, ProbeTimeout: probe, FreshFor: time.Hour, KeepFor: time.Hour}, nil
	})
	for _, name := range members {
		if connection, ok := connections[name]; ok {
			known.Join(ctx, name, connection)
		}
	}
	asked := server.New(server.Options{Members: known, Kinds: kinds, Clock: clock.RealClock{}})
	fits := make([]workloadFit, 0, len(workloads))
	for _, workload := range workloads {
		fit := workloadFit{
			APIVersion: workload.GetAPIVersion(), Kind: workload.GetKind(), Namespace: workload.GetNamespace(), Name: workload.GetName(),
		}
		for _, name := range members {
			fit.Members = append(fit.Members, o.ask(ctx, asked, known, name, workload))
		}
		fits = append(fits, fit)
	}
	if err := o.print(fits); err != nil {
		return err
	}
	for _, fit := range fits {
		if slices.ContainsFunc(fit.Members, func(m memberFit) bool { return m.Error != "" }) {
			return errReported
		}
	}
	return nil
}

// ask asks one member, as soon as it has been read.
func (o *fitOptions) ask(ctx context.Context, asked *server.Server, known *fleet.Fleet, name string,
	workload *unstructured.Unstructured) memberFit {
	member, err := o.await(ctx, known, name)
	if err != nil {
		return memberFit{Cluster: name, Error: err.Error()}
	}
	answer, err := asked.Explain(ctx, member, workload)
	if err != nil {
		return memberFit{Cluster: name, Error: err.Error()}
	}
	return fitOf(name, answer)
}

// kinds are those that the estimator's configuration names.
func (o *fitOptions) kinds() (template.Kinds, error) {
	if o.estimatorConfig == "" {
		return nil, nil
	}
	cfg, err := config.LoadEstimator(o.estimatorConfig)
	if err != nil {
		return nil, fmt.Errorf("--estimator-config: %w", err)
	}
	return template.KindsOf(cfg.WorkloadKinds), nil
}

// workloads are the objects of the file that have pods; Services, policies and what else belongs to an application may stand beside them,
// and are named.
func (o *fitOptions) workloads(kinds template.Kinds) ([]*unstructured.Unstructured, error) {
	objects, err := (&interpretOptions{IOStreams: o.IOStreams, files: []string{o.file}}).objects()
	if err != nil {
		return nil, err
	}
	var workloads []*unstructured.Unstructured
	for _, object := range objects {
		_, ok, err := kinds.Of(object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.file, err)
		}
		if !ok {
			fmt.Fprintf(o.ErrOut, "%s %s: no pods are made of it, or not of a template at spec.template: not asked about "+
				"(--estimator-config names further kinds)\n", object.GetKind(), object.GetName())
			continue
		}
		if object.GetNamespace() == "" {
			namespace, _, err := o.flags.ToRawKubeConfigLoader().Namespace()
			if err != nil {
				return nil, fmt.Errorf("finding the namespace: %w", err)
			}
			object.SetNamespace(namespace)
		}
		workloads = append(workloads, object)
	}
	if len(workloads) == 0 {
		return nil, fmt.Errorf("%s holds no workload with a pod template", o.file)
	}
	return workloads, nil
}

// members are the names asked for, or all, and how to reach those that can be reached.
func (o *fitOptions) members(ctx context.Context) ([]string, map[string]fleet.Connection, error) {
	config, err := restConfig(o.flags)
	if err != nil {
		return nil, nil, err
	}
	clusters, err := karmada.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("building a Karmada client: %w", err)
	}
	secrets, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("building a Kubernetes client: %w", err)
	}
	list, err := clusters.ClusterV1alpha1().Clusters().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("listing clusters: %w", err)
	}
	names, connections := o.clusters, map[string]fleet.Connection{}
	for i := range list.Items {
		cluster := &list.Items[i]
		if len(o.clusters) == 0 {
			names = append(names, cluster.Name)
		}
		if slices.Contains(names, cluster.Name) {
			o.connect(ctx, secrets, cluster, connections)
		}
	}
	for _, name := range o.clusters {
		if !slices.ContainsFunc(list.Items, func(c clusterv1alpha1.Cluster) bool { return c.Name == name }) {
			return nil, nil, fmt.Errorf("there is no Cluster %q", name)
		}
	}
	return names, connections, nil
}

func (o *fitOptions) connect(ctx context.Context, secrets kubernetes.Interface, cluster *clusterv1alpha1.Cluster,
	into map[string]fleet.Connection) {
	connection, err := fleet.ConnectionOf(ctx, secrets, cluster)
	if err != nil {
		fmt.Fprintf(o.ErrOut, "%s: %v\n", cluster.Name, err)
		return
	}
	into[cluster.Name] = connection
}

func (o *fitOptions) await(ctx context.Context, known *fleet.Fleet, name string) (*mirror.Member, error) {
	var member *mirror.Member
	var why error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, o.timeout, true, func(context.Context) (bool, error) {
		member, why = known.Member(name)
		return why == nil, nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("not read within %s", o.timeout), why)
	}
	return member, nil
}
