package oracle

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	frameworkplugins "k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/argosy-dev/argosy/estimator/fit"
)

var (
	// nodeLocal: the in-tree Filter plugins whose verdict depends on one node and the pod alone, and only turns from yes to no as copies are
	// added.
	nodeLocal = sets.New(names.NodeUnschedulable, names.NodeName, names.TaintToleration, names.NodeAffinity, names.NodePorts,
		names.NodeResourcesFit)
	// inert: in-tree plugins whose PreFilter answers Skip for a pod without claims and with none but the volumes of fit.Classify.
	inert = sets.New(names.VolumeRestrictions, names.NodeVolumeLimits, names.VolumeBinding, names.VolumeZone, names.DynamicResources)
	// acrossNodes: the in-tree plugins that package fit has closed forms for.
	acrossNodes = sets.New(names.PodTopologySpread, names.InterPodAffinity)
)

// view is one profile, twice: whole, to place pods with, and cut down to the node-local Filter plugins, to ask about one node.
type view struct {
	name  string
	full  framework.Framework
	local framework.Framework
	// orderedWhy, if set, is why no closed form may be used with this profile.
	orderedWhy string
	// custom: out-of-tree node-local plugins may read anything of the pod.
	custom       bool
	ignored      fit.Ignored
	hasSpread    bool
	hasAffinity  bool
	hardDefaults bool
}

func (o *Oracle) newView(ctx context.Context, config Config, profile *schedulerconfig.KubeSchedulerProfile) (*view, error) {
	v := &view{name: profile.SchedulerName, full: o.sched.Profiles[profile.SchedulerName]}
	enabled := v.full.ListPlugins()
	filters := namesOf(enabled.Filter)
	v.hasSpread, v.hasAffinity = filters.Has(names.PodTopologySpread), filters.Has(names.InterPodAffinity)
	v.orderedWhy = whyOrdered(enabled, config.Plugins)
	if v.orderedWhy == "" && !filters.Has(names.NodeResourcesFit) {
		v.orderedWhy = "the profile does not check resources"
	}
	for _, args := range profile.PluginConfig {
		switch args := args.Args.(type) {
		case *schedulerconfig.NodeResourcesFitArgs:
			v.ignored = fit.Ignored{Resources: args.IgnoredResources, Groups: args.IgnoredResourceGroups}
		case *schedulerconfig.PodTopologySpreadArgs:
			for _, constraint := range args.DefaultConstraints {
				v.hardDefaults = v.hardDefaults || (v.hasSpread && constraint.WhenUnsatisfiable == corev1.DoNotSchedule)
			}
		}
	}
	return v, o.buildLocal(ctx, v, config, profile, enabled)
}

// buildLocal makes the cut-down framework: the same plugins, arguments and order, on the shared snapshot.
func (o *Oracle) buildLocal(ctx context.Context, v *view, config Config, profile *schedulerconfig.KubeSchedulerProfile,
	enabled *schedulerconfig.Plugins) error {
	keep := nodeLocal.Union(config.Plugins.NodeLocal)
	plugins := &schedulerconfig.Plugins{
		QueueSort: schedulerconfig.PluginSet{Enabled: []schedulerconfig.Plugin{{Name: names.PrioritySort}}},
		Bind:      schedulerconfig.PluginSet{Enabled: []schedulerconfig.Plugin{{Name: names.DefaultBinder}}},
	}
	needed := sets.New(names.PrioritySort, names.DefaultBinder)
	for _, point := range []struct{ from, to *schedulerconfig.PluginSet }{{&enabled.PreFilter, &plugins.PreFilter},
		{&enabled.Filter, &plugins.Filter}} {
		for _, plugin := range point.from.Enabled {
			if keep.Has(plugin.Name) {
				v.custom = v.custom || config.Plugins.NodeLocal.Has(plugin.Name)
				needed.Insert(plugin.Name)
				point.to.Enabled = append(point.to.Enabled, schedulerconfig.Plugin{Name: plugin.Name})
			}
		}
	}
	cut := &schedulerconfig.KubeSchedulerProfile{SchedulerName: profile.SchedulerName, Plugins: plugins}
	for _, args := range profile.PluginConfig {
		if needed.Has(args.Name) {
			cut.PluginConfig = append(cut.PluginConfig, args)
		}
	}
	registry := frameworkplugins.NewInTreeRegistry()
	if err := registry.Merge(config.Plugins.Factories); err != nil {
		return fmt.Errorf("merging plugins: %w", err)
	}
	var err error
	v.local, err = frameworkruntime.NewFramework(ctx, registry, cut,
		frameworkruntime.WithSnapshotSharedLister(o.shared.snapshot),
		frameworkruntime.WithInformerFactory(config.Informers),
		frameworkruntime.WithClientSet(config.Client),
		frameworkruntime.WithKubeConfig(config.KubeConfig),
		frameworkruntime.WithEventRecorder(silent{}),
		frameworkruntime.WithPodNominator(o.sched.SchedulingQueue),
		frameworkruntime.WithWaitingPods(frameworkruntime.NewWaitingPodsMap()),
		frameworkruntime.WithParallelism(1),
	)
	if err != nil {
		return fmt.Errorf("building the node-local framework: %w", err)
	}
	return nil
}

// whyOrdered looks for a plugin that nothing is known of, at every point that can refuse a pod.
func whyOrdered(enabled *schedulerconfig.Plugins, plugins Plugins) string {
	known := nodeLocal.Union(inert).Union(acrossNodes).Union(plugins.NodeLocal)
	for _, set := range []schedulerconfig.PluginSet{enabled.PreFilter, enabled.Filter, enabled.Reserve, enabled.Permit} {
		for _, plugin := range set.Enabled {
			if !known.Has(plugin.Name) {
				return fmt.Sprintf("plugin %s may look across nodes", plugin.Name)
			}
		}
	}
	return ""
}

// extenderWhy: an extender that filters is another process with rules of its own.
func extenderWhy(sched *scheduler.Scheduler, pod *corev1.Pod) string {
	for _, extender := range sched.Extenders {
		if extender.IsFilter() && extender.IsInterested(pod) {
			return fmt.Sprintf("extender %s filters", extender.Name())
		}
	}
	return ""
}

func namesOf(set schedulerconfig.PluginSet) sets.Set[string] {
	found := sets.New[string]()
	for _, plugin := range set.Enabled {
		found.Insert(plugin.Name)
	}
	return found
}
