package doctor

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/hook"
)

// Reader reads karmada-apiserver.
type Reader struct {
	client    client.Client
	discovery discovery.DiscoveryInterface
	families  []*family.Family
	// address replaces where the webhook is dialled; the name that is verified stays.
	address string
}

// NewReader reads the plane of config; address may be empty.
func NewReader(config *rest.Config, families []*family.Family, address string) (*Reader, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, configv1alpha1.Install, policyv1alpha1.Install, workv1alpha2.Install, apiextensionsv1.AddToScheme,
		clusterv1alpha1.Install, autoscalingv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Reader{client: c, discovery: d, families: families, address: address}, nil
}

// Gather reads everything the checks need.
func (r *Reader) Gather(ctx context.Context) (Facts, error) {
	facts := Facts{Families: r.families, Endpoints: map[string]Endpoint{}}
	var registrations configv1alpha1.ResourceInterpreterWebhookConfigurationList
	if err := r.client.List(ctx, &registrations); err != nil {
		return facts, fmt.Errorf("listing ResourceInterpreterWebhookConfigurations: %w", err)
	}
	var customizations configv1alpha1.ResourceInterpreterCustomizationList
	if err := r.client.List(ctx, &customizations); err != nil {
		return facts, fmt.Errorf("listing ResourceInterpreterCustomizations: %w", err)
	}
	var crds apiextensionsv1.CustomResourceDefinitionList
	if err := r.client.List(ctx, &crds); err != nil {
		return facts, fmt.Errorf("listing CustomResourceDefinitions: %w", err)
	}
	facts.Registrations, facts.Customizations, facts.CRDs = registrations.Items, customizations.Items, crds.Items
	for i := range facts.Registrations {
		if !ours(&facts.Registrations[i]) {
			continue
		}
		for _, webhook := range facts.Registrations[i].Webhooks {
			facts.Endpoints[webhook.Name] = r.endpoint(ctx, webhook.ClientConfig)
		}
	}
	if err := r.works(ctx, &facts); err != nil {
		return facts, err
	}
	if err := r.workloads(ctx, &facts); err != nil {
		return facts, err
	}
	var err error
	if facts.Clashes, err = r.clashes(ctx); err != nil {
		return facts, err
	}
	if facts.Silent, err = r.silentMembers(ctx); err != nil {
		return facts, err
	}
	if err := r.taints(ctx, &facts); err != nil {
		return facts, err
	}
	if facts.Descheduler, err = r.descheduler(ctx); err != nil {
		return facts, err
	}
	return facts, r.hosting(ctx, &facts)
}

// works reads the registration of the admission of Works.
func (r *Reader) works(ctx context.Context, facts *Facts) error {
	var works admissionregistrationv1.MutatingWebhookConfiguration
	err := r.client.Get(ctx, types.NamespacedName{Name: hook.DispatchRegistrationName}, &works)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading MutatingWebhookConfiguration %s: %w", hook.DispatchRegistrationName, err)
	}
	if err == nil {
		facts.Works = &works
	}
	return nil
}

// endpoint dials where Karmada would.
func (r *Reader) endpoint(ctx context.Context, at admissionregistrationv1.WebhookClientConfig) Endpoint {
	host, address, err := r.resolve(ctx, at)
	if err != nil {
		return Endpoint{Host: host, Address: address, Err: err}
	}
	if r.address != "" {
		address = r.address
	}
	return dial(ctx, host, address)
}

// resolve is the name Karmada verifies and the address it dials. A Service is looked up in karmada-apiserver first, and
// is a name of the host cluster's DNS otherwise.
func (r *Reader) resolve(ctx context.Context, at admissionregistrationv1.WebhookClientConfig) (host, address string, err error) {
	if at.Service == nil {
		parsed, err := url.Parse(ptr.Deref(at.URL, ""))
		if err != nil || parsed.Hostname() == "" {
			return "", ptr.Deref(at.URL, ""), fmt.Errorf("clientConfig.url %q is no address", ptr.Deref(at.URL, ""))
		}
		port := parsed.Port()
		if port == "" {
			port = "443"
		}
		return parsed.Hostname(), net.JoinHostPort(parsed.Hostname(), port), nil
	}
	port := strconv.Itoa(int(ptr.Deref(at.Service.Port, 443)))
	host = at.Service.Name + "." + at.Service.Namespace + ".svc"
	var service corev1.Service
	err = r.client.Get(ctx, types.NamespacedName{Namespace: at.Service.Namespace, Name: at.Service.Name}, &service)
	switch {
	case apierrors.IsNotFound(err):
		return host, net.JoinHostPort(host, port), nil
	case err != nil:
		return host, "", fmt.Errorf("reading Service %s/%s: %w", at.Service.Namespace, at.Service.Name, err)
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		return host, net.JoinHostPort(service.Spec.ExternalName, port), nil
	}
	return host, net.JoinHostPort(service.Spec.ClusterIP, port), nil
}

// clashes are workloads of our kinds that share name and kind with one of another group.
func (r *Reader) clashes(ctx context.Context) ([]Clash, error) {
	kinds, err := r.served()
	if err != nil {
		return nil, err
	}
	var out []Clash
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		groups := kinds[kind]
		if len(groups) < 2 {
			continue
		}
		found, err := r.named(ctx, groups)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.SortedFunc(maps.Keys(found), byName) {
			if len(found[name]) < 2 {
				continue
			}
			clash := Clash{Namespace: name.Namespace, Name: name.Name, Kind: kind, Groups: found[name]}
			if err := r.binding(ctx, &clash); err != nil {
				return nil, err
			}
			out = append(out, clash)
		}
	}
	return out, nil
}

func byName(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }

// served is, for each kind of ours, that kind in every group the plane serves.
func (r *Reader) served() (map[string][]schema.GroupVersionKind, error) {
	lists, err := r.discovery.ServerPreferredResources()
	// One aggregated API that does not answer must not hide the rest.
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("asking for the kinds served: %w", err)
	}
	out := map[string][]schema.GroupVersionKind{}
	for _, f := range r.families {
		for _, kind := range f.Kinds {
			out[kind.Kind] = nil
		}
	}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if _, known := out[resource.Kind]; known && resource.Namespaced && slices.Contains(resource.Verbs, "list") {
				out[resource.Kind] = append(out[resource.Kind], version.WithKind(resource.Kind))
			}
		}
	}
	return out, nil
}

// named is the groups that have an object of a name.
func (r *Reader) named(ctx context.Context, kinds []schema.GroupVersionKind) (map[types.NamespacedName][]string, error) {
	out := map[types.NamespacedName][]string{}
	for _, kind := range kinds {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := r.client.List(ctx, &list); err != nil {
			return nil, fmt.Errorf("listing %s: %w", kind, err)
		}
		for _, item := range list.Items {
			name := types.NamespacedName{Namespace: item.Namespace, Name: item.Name}
			out[name] = append(out[name], kind.Group)
		}
	}
	return out, nil
}

// binding says whom the one binding belongs to.
func (r *Reader) binding(ctx context.Context, c *Clash) error {
	c.Binding = names.GenerateBindingName(c.Kind, c.Name)
	var binding workv1alpha2.ResourceBinding
	err := r.client.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: c.Binding}, &binding)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading ResourceBinding %s/%s: %w", c.Namespace, c.Binding, err)
	}
	c.Owner = schema.FromAPIVersionAndKind(binding.Spec.Resource.APIVersion, "").Group
	return nil
}
