package oracle

import (
	"context"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
	frameworkplugins "k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/utils/clock"
)

// Plugins are the out-of-tree plugins compiled into this binary.
type Plugins struct {
	Factories runtime.Registry
	// NodeLocal names those whose verdict on a node depends on that node and the pod alone and can only turn from yes to no as copies are
	// added. Every other plugin is taken to look across nodes, and pods it sees are placed one by one.
	NodeLocal sets.Set[string]
}

// LoadConfiguration reads a KubeSchedulerConfiguration as kube-scheduler does. An empty path gives kube-scheduler's default.
func LoadConfiguration(path string, plugins Plugins) (*schedulerconfig.KubeSchedulerConfiguration, error) {
	if path == "" {
		return latest.Default()
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading scheduler configuration: %w", err)
	}
	configuration, err := ParseConfiguration(data, plugins)
	if err != nil {
		return nil, fmt.Errorf("scheduler configuration %s: %w", path, err)
	}
	return configuration, nil
}

// ParseConfiguration decodes, defaults and validates; a plugin that is not compiled in is an error here, not at the first estimate.
func ParseConfiguration(data []byte, plugins Plugins) (*schedulerconfig.KubeSchedulerConfiguration, error) {
	object, kind, err := scheme.Codecs.UniversalDecoder().Decode(data, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	configuration, ok := object.(*schedulerconfig.KubeSchedulerConfiguration)
	if !ok {
		return nil, fmt.Errorf("a %s, want a KubeSchedulerConfiguration", kind)
	}
	configuration.APIVersion = kind.GroupVersion().String()
	if errs := validation.ValidateKubeSchedulerConfiguration(configuration); errs != nil {
		return nil, fmt.Errorf("validating: %w", errs)
	}
	known := frameworkplugins.NewInTreeRegistry()
	for i := range configuration.Profiles {
		profile := &configuration.Profiles[i]
		for _, name := range namedPlugins(profile.Plugins) {
			if known[name] == nil && plugins.Factories[name] == nil {
				return nil, fmt.Errorf("profile %q: plugin %q is not compiled into this estimator: add it to estimator/plugins/registry.go, "+
					"or name a configuration without it", profile.SchedulerName, name)
			}
		}
	}
	return configuration, tryOut(configuration, plugins)
}

func namedPlugins(plugins *schedulerconfig.Plugins) []string {
	names := plugins.Names()
	for _, plugin := range plugins.MultiPoint.Enabled {
		names = append(names, plugin.Name)
	}
	return names
}

// tryOut builds the scheduler once, of no member and never started: plugins check their arguments when they are made.
func tryOut(configuration *schedulerconfig.KubeSchedulerConfiguration, plugins Plugins) error {
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
	defer cancel()
	nowhere := &rest.Config{Host: "https://localhost:0"}
	client, err := kubernetes.NewForConfig(nowhere)
	if err != nil {
		return fmt.Errorf("building a client: %w", err)
	}
	kinds, err := dynamic.NewForConfig(nowhere)
	if err != nil {
		return fmt.Errorf("building a client: %w", err)
	}
	_, err = New(ctx, Config{Client: client, KubeConfig: nowhere, Informers: informers.NewSharedInformerFactory(client, 0),
		Dynamic: dynamicinformer.NewDynamicSharedInformerFactory(kinds, 0), Configuration: configuration, Plugins: plugins,
		Clock: clock.RealClock{}})
	return err
}
