package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
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
)

const fitExample = `  # How many replicas of a workload fit each member, and what stops the next
  %[1]s fit -f deployment.yaml

  # One member, all its nodes, with the configuration of its scheduler
  %[1]s fit -f deployment.yaml --cluster member1 --all-nodes --scheduler-config member1-scheduler.yaml`

type fitOptions struct {
	genericiooptions.IOStreams
	flags           *genericclioptions.ConfigFlags
	file            string
	clusters        []string
	schedulerConfig string
	allNodes        bool
	timeout         time.Duration
}

func newFitCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &fitOptions{IOStreams: streams, flags: flags}
	command := &cobra.Command{
		Use:   "fit -f workload.yaml",
		Short: "Show how many replicas of a workload fit each member, on which nodes, and what stops the next",
		Long: `Show how many replicas of a workload fit each member, on which nodes, and which scheduler plugin stops the next.

Every member's own scheduler is run on a copy of the member's state, read now; nothing is written anywhere. It is the
answer argosy-estimator gives karmada-scheduler.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// The mirrors' log is the estimator's; what went wrong here comes back as errors.
			return o.run(klog.NewContext(c.Context(), logr.Discard()))
		},
	}
	command.Flags().StringVarP(&o.file, "filename", "f", "", `file of the workload, "-" for standard input`)
	command.Flags().StringSliceVar(&o.clusters, "cluster", nil, "members to ask (default all)")
	command.Flags().StringVar(&o.schedulerConfig, "scheduler-config", "", "KubeSchedulerConfiguration of the members' schedulers (default kube-scheduler's own)")
	command.Flags().BoolVar(&o.allNodes, "all-nodes", false, "list every node, not only the first of each kind")
	command.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for a member")
	if err := command.MarkFlagRequired("filename"); err != nil {
		panic(err) // the flag is made three lines above
	}
	command.PreRun = func(c *cobra.Command, _ []string) { c.Example = fmt.Sprintf(fitExample, c.Root().Name()) }
	command.Example = fmt.Sprintf(fitExample, "argosyctl")
	return command
}

func (o *fitOptions) run(ctx context.Context) error {
	workload, err := o.workload()
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
	asked := server.New(server.Options{Members: known, Clock: clock.RealClock{}})
	for _, name := range members {
		if connection, ok := connections[name]; ok {
			known.Join(ctx, name, connection)
		}
	}
	failed := false
	for _, name := range members {
		member, err := o.await(ctx, known, name)
		if err == nil {
			var answer oracle.Answer
			if answer, err = server.Explain(ctx, asked, member, workload); err == nil {
				o.print(name, answer)
				continue
			}
		}
		failed = true
		fmt.Fprintf(o.Out, "%s: unknown: %v\n", name, err)
	}
	if failed {
		return errReported
	}
	return nil
}

func (o *fitOptions) workload() (*unstructured.Unstructured, error) {
	objects, err := (&interpretOptions{IOStreams: o.IOStreams, files: []string{o.file}}).objects()
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if _, found, _ := unstructured.NestedMap(object.Object, "spec", "template"); found {
			if object.GetNamespace() == "" {
				namespace, _, err := o.flags.ToRawKubeConfigLoader().Namespace()
				if err != nil {
					return nil, fmt.Errorf("finding the namespace: %w", err)
				}
				object.SetNamespace(namespace)
			}
			return object, nil
		}
	}
	return nil, fmt.Errorf("%s holds no workload with a pod template", o.file)
}

// members are the names asked for, or all, and how to reach those that can be reached.
func (o *fitOptions) members(ctx context.Context) ([]string, map[string]fleet.Connection, error) {
	config, err := o.flags.ToRESTConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("reading the kubeconfig of karmada-apiserver: %w", err)
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

func (o *fitOptions) connect(ctx context.Context, secrets kubernetes.Interface, cluster *clusterv1alpha1.Cluster, into map[string]fleet.Connection) {
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

// print writes one member's answer: the number, what limits it, and the nodes, those alike on one line.
func (o *fitOptions) print(name string, answer oracle.Answer) {
	certainty := "exactly"
	switch {
	case answer.TimedOut:
		certainty = "at least, for time was up,"
	case !answer.Exact:
		certainty = "at least"
	}
	fmt.Fprintf(o.Out, "%s: %s %d fit", name, certainty, answer.Count)
	if limits := spellLimits(answer.Limits); limits != "" {
		fmt.Fprintf(o.Out, "; the next is refused by %s", limits)
	}
	if answer.Why != "" {
		fmt.Fprintf(o.Out, " (%s)", strings.TrimSuffix(answer.Why, "."))
	}
	fmt.Fprintln(o.Out)
	if len(answer.Nodes) > 0 {
		o.printNodes(o.Out, answer.Nodes)
	}
}

func (o *fitOptions) printNodes(out io.Writer, nodes []oracle.NodeFit) {
	table := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  NODE\tTAKES\tNEXT REFUSED BY")
	type alike struct {
		copies  int64
		stopped string
	}
	var order []alike
	groups := map[alike][]string{}
	for _, node := range nodes {
		kind := alike{node.Copies, node.Stopped}
		if groups[kind] == nil {
			order = append(order, kind)
		}
		groups[kind] = append(groups[kind], node.Node)
	}
	slices.SortStableFunc(order, func(a, b alike) int { return cmp.Compare(b.copies, a.copies) })
	for _, kind := range order {
		names := groups[kind]
		slices.Sort(names)
		if o.allNodes {
			for _, name := range names {
				fmt.Fprintf(table, "  %s\t%d\t%s\n", name, kind.copies, kind.stopped)
			}
			continue
		}
		fmt.Fprintf(table, "  %s\t%d\t%s\n", someOf(names), kind.copies, kind.stopped)
	}
	// The table is in memory: what the writer below says is heard by the next Fprint.
	_ = table.Flush()
}

func someOf(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func spellLimits(limits map[string]int) string {
	var parts []string
	for plugin, nodes := range limits {
		switch {
		case plugin == "":
		case nodes == 0:
			parts = append(parts, plugin)
		default:
			parts = append(parts, fmt.Sprintf("%s on %d nodes", plugin, nodes))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
