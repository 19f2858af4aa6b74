package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/migration/publish"
)

// restConfig is how to reach karmada-apiserver as the flags say.
func restConfig(flags *genericclioptions.ConfigFlags) (*rest.Config, error) {
	config, err := flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of karmada-apiserver (--kubeconfig, --context): %w", err)
	}
	if config.Host == clientcmd.ClusterDefaults.Server {
		return nil, fmt.Errorf("no kubeconfig says where karmada-apiserver is: set KUBECONFIG, --kubeconfig or --server; looked for %s",
			strings.Join(flags.ToRawKubeConfigLoader().ConfigAccess().GetLoadingPrecedence(), ", "))
	}
	// client-go's own limit is five requests a second: a table of a hundred clusters would take a minute. The API server has one of its own.
	config.QPS = -1
	return config, nil
}

// controlPlane reaches karmada-apiserver as the flags say, with the namespace they say.
func controlPlane(flags *genericclioptions.ConfigFlags) (client.Client, string, error) {
	config, err := restConfig(flags)
	if err != nil {
		return nil, "", err
	}
	namespace, err := namespaceOf(flags)
	if err != nil {
		return nil, "", err
	}
	control, err := connect(config)
	return control, namespace, err
}

func namespaceOf(flags *genericclioptions.ConfigFlags) (string, error) {
	namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("reading the namespace: %w", err)
	}
	return namespace, nil
}

// oneMember reaches a member through karmada-apiserver, in the name of whoever asks: the member's admission sees that person. Without a
// name it is the API server that the flags name.
func oneMember(flags *genericclioptions.ConfigFlags, member string) (client.Client, string, error) {
	if member == "" {
		return controlPlane(flags)
	}
	config, err := restConfig(flags)
	if err != nil {
		return nil, "", err
	}
	namespace, err := namespaceOf(flags)
	if err != nil {
		return nil, "", err
	}
	config.Host = strings.TrimRight(config.Host, "/") + "/apis/cluster.karmada.io/v1alpha1/clusters/" + member + "/proxy"
	if err := reachable(config); err != nil {
		return nil, "", fmt.Errorf("asking member %s in your own name through karmada-apiserver (its own kubeconfig serves too, "+
			"with --context): %w", member, err)
	}
	reached, err := connect(config)
	return reached, namespace, err
}

// reachable says in the server's words why the way to a member is refused; later, discovery makes "unknown" of it.
func reachable(config *rest.Config) error {
	asked := rest.CopyConfig(config)
	asked.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	way, err := rest.UnversionedRESTClientFor(asked)
	if err != nil {
		return err
	}
	return way.Get().AbsPath("/version").Do(context.Background()).Error()
}

// connect with every kind that is read or written by its type.
func connect(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1alpha1.Install, policyv1alpha1.Install, workv1alpha1.Install, workv1alpha2.Install,
		appsv1alpha1.AddToScheme, autoscalingv1alpha1.AddToScheme, v1alpha1.AddToScheme, componentv1alpha1.AddToScheme,
		releasev1alpha1.AddToScheme, vmv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	// Admission warns of what an edit will lead to; that is for whoever typed the command.
	config.WarningHandler = rest.NewWarningWriter(os.Stderr, rest.WarningWriterOptions{Deduplicate: true})
	control, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reaching %s: %w", config.Host, err)
	}
	return control, nil
}

// misnamed is a name that leads to nothing, or none at all, where one of a kind was to be named.
type misnamed struct {
	problem, namespace string
	list               client.ObjectList
}

// explain says what there is to name instead.
func (m misnamed) explain(ctx context.Context, control client.Reader) error {
	err := control.List(ctx, m.list, client.InNamespace(m.namespace))
	var there []string
	if err == nil {
		err = meta.EachListItem(m.list, func(object runtime.Object) error {
			item, err := meta.Accessor(object)
			if err == nil {
				there = append(there, item.GetName())
			}
			return err
		})
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: listing those of namespace %s: %w", m.problem, m.namespace, err)
	case len(there) == 0:
		return fmt.Errorf("%s: namespace %s of the control plane has none; name another with -n", m.problem, m.namespace)
	}
	return fmt.Errorf("%s: namespace %s of the control plane has %s", m.problem, m.namespace, strings.Join(there, ", "))
}

// oneApplication is what commands about one are given: KIND/NAME, or KIND NAME as kubectl takes it too.
func oneApplication(command *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 2:
		if !strings.Contains(args[0]+args[1], "/") {
			return nil
		}
	}
	return fmt.Errorf("name one application as kind/name, such as: %s -n shop deployment/web", command.CommandPath())
}

// typed is what KIND/NAME or KIND NAME names, as kind/name.
func typed(args []string) string { return strings.Join(args, "/") }

// parseApplication reads kind/name.
func parseApplication(namespace, text string) (publish.Application, error) {
	kind, name, ok := strings.Cut(text, "/")
	if !ok || kind == "" || name == "" || strings.Contains(name, "/") {
		return publish.Application{}, fmt.Errorf("%q is no application: write kind/name, such as deployment/web, and its namespace with -n", text)
	}
	return publish.Application{Namespace: namespace, Kind: kind, Name: name}, nil
}
