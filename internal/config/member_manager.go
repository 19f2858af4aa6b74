package config

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// MemberManagerKind is the kind of argosy-member-manager's file.
const MemberManagerKind = "MemberManagerConfiguration"

// MemberManager is the configuration of argosy-member-manager, which runs in a member.
type MemberManager struct {
	Header `json:",inline"`

	// LeaderElection lets several replicas run, one of them at work; the others keep their caches and queues filled.
	LeaderElection LeaderElection `json:"leaderElection"`
	// Client bounds what the controllers ask of the member's API server.
	Client Client `json:"client"`
	// MetricsBindAddress serves /metrics: host:port, or "0" for none.
	MetricsBindAddress string `json:"metricsBindAddress"`
	// MetricsSecure serves them over TLS, to whoever shows a token of the member's API server and may "get" /metrics there.
	MetricsSecure bool `json:"metricsSecure"`
	// HealthBindAddress serves /healthz and /readyz: host:port, or "0" for none.
	HealthBindAddress string `json:"healthBindAddress"`
	// Namespace of the ConfigMap argosy-cluster, whose data are the cluster's values: $(cluster.KEY) in templates.
	Namespace string `json:"namespace"`
	// ControllerID of this manager among those that share the member's Components: it acts on those whose label
	// component.luojilab.com/controller-id names it, and the one called default on those without. One of another name acts on Components
	// alone (controllers.vm.mode Disabled), and needs leaderElection: by their Leases they know who lives.
	ControllerID string `json:"controllerID"`
	// Controllers holds a section for each controller.
	Controllers MemberControllers `json:"controllers"`
	// Machines says where virtual machines are made.
	Machines Machines `json:"machines"`
	// LoadBalancers says which load balancers servers and Components are put behind, beside Services of the member.
	LoadBalancers LoadBalancers `json:"loadBalancers"`
	// Deployments says which deploy systems there are beside SSH.
	Deployments Deployments `json:"deployments"`
	// Monitoring says which Prometheus alert queries are asked of.
	Monitoring Monitoring `json:"monitoring"`
	// Gates says whom the gates of virtual machines may call.
	Gates Gates `json:"gates"`
	// Webhook stamps and checks what people decide about virtual machines in this member.
	Webhook MemberWebhook `json:"webhook"`
}

// Monitoring is where the alert queries of monitors are asked.
type Monitoring struct {
	// PeriodSeconds is how often each query is asked of each server.
	PeriodSeconds int32 `json:"periodSeconds"`
	// Prometheus that is asked. Absent: a template with an alertQuery makes no machine here.
	Prometheus *MonitoringPrometheus `json:"prometheus,omitempty"`
}

// MonitoringPrometheus is a Prometheus that scrapes the servers of this member.
type MonitoringPrometheus struct {
	// URL of Prometheus: http(s)://host[:port][/path].
	URL string `json:"url"`
	// CAFile has the authority that its certificate is from, in PEM; empty: the system's.
	CAFile string `json:"caFile,omitempty"`
	// TokenFile has a bearer token, which is sent over https alone; empty: none is.
	TokenFile string `json:"tokenFile,omitempty"`
}

// Gates bounds what gates may call.
type Gates struct {
	// AllowedURLs are the prefixes below which the webhooks of gates and the url of a notifyRef must be: https://host[:port][/path]. Without
	// any none is called, and its gate says so.
	AllowedURLs []string `json:"allowedURLs,omitempty"`
}

// Machines holds a section for each machine driver.
type Machines struct {
	// PeriodSeconds is how often each machine is looked at while nothing is done to it.
	PeriodSeconds int32 `json:"periodSeconds"`
	// HTTP is the driver http: a system that serves docs/reference/machines.openapi.yaml. Absent: there is no such driver here.
	HTTP *HTTPMachines `json:"http,omitempty"`
	// Libvirt is the driver libvirt: machines are domains of one libvirt. Absent: there is no such driver here.
	Libvirt *LibvirtMachines `json:"libvirt,omitempty"`
}

// LibvirtMachines is a libvirt, and where in it machines are made.
type LibvirtMachines struct {
	// Address of libvirt: unix:/path of its socket, or tls:host:port.
	Address string `json:"address"`
	// Certificates is the folder with clientcert.pem, clientkey.pem and cacert.pem for an address of TLS.
	Certificates string `json:"certificates,omitempty"`
	// URI of libvirt's own driver; empty: qemu:///system.
	URI string `json:"uri,omitempty"`
	// Type of the domains; empty: kvm.
	Type string `json:"type,omitempty"`
	// Images is the storage pool whose volumes the images of machines are; empty: default.
	Images string `json:"images,omitempty"`
	// Pool is the storage pool of the machines' own disks; empty: default.
	Pool string `json:"pool,omitempty"`
	// Network of machines that name none; empty: default.
	Network string `json:"network,omitempty"`
}

// HTTPMachines is a system that serves the contract of machines.
type HTTPMachines struct {
	// URL of the system, https. Whoever writes a VMReplicaSet cannot choose another.
	URL string `json:"url"`
	// CAFile is a file with the authority of its certificate; empty: the system's roots.
	CAFile string `json:"caFile,omitempty"`
}

// LoadBalancers holds a section for each driver of load balancers that needs one; the driver service needs none.
type LoadBalancers struct {
	// PeriodSeconds is how often each pool, and each load balancer of a provider, is asserted anew: one that restarted has lost what it was
	// told.
	PeriodSeconds int32 `json:"periodSeconds"`
	// HAProxy is the driver haproxy. Absent: there is no such driver here.
	HAProxy *HAProxy `json:"haproxy,omitempty"`
	// Providers are those of Components (svc.type, a Service's loadBalancerClass) whose load balancers this program keeps. Any other class is
	// left to whoever else in this member acts on it.
	Providers []LoadBalancerProvider `json:"providers,omitempty"`
}

// LoadBalancerProvider is a system that serves docs/reference/loadbalancers.openapi.yaml.
type LoadBalancerProvider struct {
	// Name that Components and Services ask for it by, such as luoji-slb.
	Name string `json:"name"`
	// URL of the system, https. Whoever writes a Component cannot choose another.
	URL string `json:"url"`
	// CAFile is a file with the authority of its certificate; empty: the system's roots.
	CAFile string `json:"caFile,omitempty"`
	// TokenFile is a file with the bearer token, read for each request; empty: none is sent.
	TokenFile string `json:"tokenFile,omitempty"`
}

// HAProxy is one HAProxy, or several that are told the same.
type HAProxy struct {
	// Addresses of the runtime API of each instance, with level admin: host:port or unix:/path. Whoever reaches them rules HAProxy, so they
	// belong on a network of their own. Whoever writes a VMReplicaSet cannot choose others.
	Addresses []string `json:"addresses"`
}

// Deployments holds a section for each deploy system.
type Deployments struct {
	// HTTP is the system http: one that serves docs/reference/deployments.openapi.yaml. Absent: there is no such system here.
	HTTP *HTTPDeployments `json:"http,omitempty"`
}

// HTTPDeployments is a system that serves the contract of deployments.
type HTTPDeployments struct {
	// URL of the system, https. Whoever writes a VMDeployment cannot choose another.
	URL string `json:"url"`
	// CAFile is a file with the authority of its certificate; empty: the system's roots.
	CAFile string `json:"caFile,omitempty"`
	// TokenFile is a file with the bearer token, read for each request; empty: none is sent.
	TokenFile string `json:"tokenFile,omitempty"`
}

// MemberWebhook is the admission that argosy-member-manager serves.
type MemberWebhook struct {
	// BindAddress serves it over HTTPS: host:port, or "0" for none.
	BindAddress string `json:"bindAddress"`
	// CertDir holds tls.crt and tls.key.
	CertDir string `json:"certDir"`
}

// MemberControllers holds a section for each controller: one line per capability.
type MemberControllers struct {
	Component Controller `json:"component"`
	// VM is that of VMReplicaSets and of Servers.
	VM Controller `json:"vm"`
}

// LoadMemberManager reads the file at path over the defaults; an empty path means the defaults.
func LoadMemberManager(path string) (*MemberManager, error) {
	c := DefaultMemberManager()
	if err := load(path, c); err != nil {
		return nil, err
	}
	return c, nil
}

// DefaultMemberManager is the configuration without a file.
func DefaultMemberManager() *MemberManager {
	return &MemberManager{
		Header: Header{APIVersion: APIVersion, Kind: MemberManagerKind},
		LeaderElection: LeaderElection{
			Enabled: true, Namespace: "argosy-system", Name: "argosy-member-manager",
			LeaseDurationSeconds: 15, RenewDeadlineSeconds: 10, RetryPeriodSeconds: 2,
		},
		Client:             Client{QPS: -1},
		MetricsBindAddress: ":8080",
		HealthBindAddress:  ":8081",
		Namespace:          "argosy-system",
		ControllerID:       defaultControllerID,
		Controllers: MemberControllers{
			Component: Controller{Mode: Enabled, Concurrency: 16}, VM: Controller{Mode: Enabled, Concurrency: 16},
		},
		Machines:      Machines{PeriodSeconds: 15},
		LoadBalancers: LoadBalancers{PeriodSeconds: 15},
		Monitoring:    Monitoring{PeriodSeconds: 30},
		Webhook:       MemberWebhook{BindAddress: "0", CertDir: "/etc/argosy-member-manager/tls"},
	}
}

// Validate names every field that cannot stand.
func (c *MemberManager) Validate() field.ErrorList {
	errs := c.validate(MemberManagerKind)
	errs = append(errs, c.LeaderElection.validate(field.NewPath("leaderElection"))...)
	errs = append(errs, c.Client.validate(field.NewPath("client"))...)
	errs = append(errs, validateAddress(c.MetricsBindAddress, field.NewPath("metricsBindAddress"))...)
	errs = append(errs, validateAddress(c.HealthBindAddress, field.NewPath("healthBindAddress"))...)
	for _, problem := range validation.IsDNS1123Label(c.Namespace) {
		errs = append(errs, field.Invalid(field.NewPath("namespace"), c.Namespace, problem))
	}
	errs = append(errs, c.validateController()...)
	errs = append(errs, c.Controllers.Component.validate(field.NewPath("controllers", "component"))...)
	errs = append(errs, c.Controllers.VM.validate(field.NewPath("controllers", "vm"))...)
	errs = append(errs, validateAddress(c.Webhook.BindAddress, field.NewPath("webhook", "bindAddress"))...)
	errs = append(errs, c.LoadBalancers.validate(field.NewPath("loadBalancers"))...)
	errs = append(errs, c.Monitoring.validate(field.NewPath("monitoring"))...)
	for i, prefix := range c.Gates.AllowedURLs {
		errs = append(errs, validateHTTPS(prefix, field.NewPath("gates", "allowedURLs").Index(i))...)
	}
	if http := c.Deployments.HTTP; http != nil {
		errs = append(errs, validateHTTPS(http.URL, field.NewPath("deployments", "http", "url"))...)
	}
	return append(errs, c.Machines.validate(field.NewPath("machines"))...)
}

func validateHTTPS(address string, at *field.Path) field.ErrorList {
	if url, err := url.Parse(address); err != nil || url.Scheme != "https" || url.Host == "" {
		return field.ErrorList{field.Invalid(at, address, "must be https://host[:port][/path]")}
	}
	return nil
}

func (m Monitoring) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.PeriodSeconds < 1 {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), m.PeriodSeconds, "must be at least 1"))
	}
	if m.Prometheus == nil {
		return errs
	}
	at, address := path.Child("prometheus", "url"), m.Prometheus.URL
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http":
		errs = append(errs, field.Invalid(at, address, "must be http(s)://host[:port][/path]"))
	case parsed.Scheme == "http" && m.Prometheus.TokenFile != "":
		errs = append(errs, field.Invalid(at, address, "must be https with a tokenFile: a token is sent over nothing else"))
	}
	return errs
}

func (l LoadBalancers) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if l.PeriodSeconds < 1 {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), l.PeriodSeconds, "must be at least 1"))
	}
	errs = append(errs, validateProviders(l.Providers, path.Child("providers"))...)
	if l.HAProxy == nil {
		return errs
	}
	at := path.Child("haproxy", "addresses")
	if len(l.HAProxy.Addresses) == 0 {
		errs = append(errs, field.Required(at, "HAProxy has no runtime API without an address"))
	}
	for i, address := range l.HAProxy.Addresses {
		socket, unix := strings.CutPrefix(address, "unix:")
		host, port, err := net.SplitHostPort(address)
		if unix && !strings.HasPrefix(socket, "/") || !unix && (err != nil || host == "" || port == "") {
			errs = append(errs, field.Invalid(at.Index(i), address, "must be host:port or unix:/path"))
		}
	}
	return errs
}

func validateProviders(providers []LoadBalancerProvider, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, provider := range providers {
		at := path.Index(i)
		for _, problem := range validation.IsQualifiedName(provider.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), provider.Name, problem))
		}
		if strings.ToLower(provider.Name) != provider.Name || slices.Contains(serviceTypes, provider.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), provider.Name, "must be lower case, and no type of a Service"))
		}
		if seen[provider.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), provider.Name))
		}
		seen[provider.Name] = true
		errs = append(errs, validateHTTPS(provider.URL, at.Child("url"))...)
	}
	return errs
}

// serviceTypes are no names of providers: a Component that says one would be misunderstood.
var serviceTypes = []string{"clusterip", "nodeport", "loadbalancer", "none", "externalname"}

// defaultControllerID is the manager that has what names none.
const defaultControllerID = "default"

func (c *MemberManager) validateController() field.ErrorList {
	var errs field.ErrorList
	at := field.NewPath("controllerID")
	for _, problem := range validation.IsDNS1123Label(c.ControllerID) {
		errs = append(errs, field.Invalid(at, c.ControllerID, problem))
	}
	if c.ControllerID == defaultControllerID {
		return errs
	}
	if c.Controllers.VM.Mode != Disabled {
		errs = append(errs, field.Invalid(field.NewPath("controllers", "vm", "mode"), c.Controllers.VM.Mode,
			"must be Disabled with a controllerID of its own: virtual machines are the default manager's"))
	}
	if len(c.LoadBalancers.Providers) > 0 {
		errs = append(errs, field.Forbidden(field.NewPath("loadBalancers", "providers"),
			"not with a controllerID of its own: load balancers are the default manager's, and two would write them"))
	}
	if !c.LeaderElection.Enabled {
		errs = append(errs, field.Invalid(field.NewPath("leaderElection", "enabled"), false,
			"must be true with a controllerID of its own: by its Lease the others know that it lives"))
	}
	return errs
}

func (m Machines) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.PeriodSeconds < 1 {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), m.PeriodSeconds, "must be at least 1"))
	}
	if m.Libvirt != nil {
		errs = append(errs, m.Libvirt.validate(path.Child("libvirt"))...)
	}
	if m.HTTP == nil {
		return errs
	}
	return append(errs, validateHTTPS(m.HTTP.URL, path.Child("http", "url"))...)
}

func (l LibvirtMachines) validate(path *field.Path) field.ErrorList {
	socket, unix := strings.CutPrefix(l.Address, "unix:")
	if unix && strings.HasPrefix(socket, "/") {
		return nil
	}
	where, tls := strings.CutPrefix(l.Address, "tls:")
	if host, port, err := net.SplitHostPort(where); !tls || err != nil || host == "" || port == "" {
		return field.ErrorList{field.Invalid(path.Child("address"), l.Address, "must be unix:/path or tls:host:port")}
	}
	if l.Certificates == "" {
		return field.ErrorList{field.Required(path.Child("certificates"), "TLS needs the folder with clientcert.pem, clientkey.pem, cacert.pem")}
	}
	return nil
}
