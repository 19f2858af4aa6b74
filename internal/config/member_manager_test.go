package config

import (
	"os"
	"strings"
	"testing"
)

func TestMemberManagerValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*MemberManager)
		says string
	}{
		"the defaults": {edit: func(*MemberManager) {}},
		"all drivers": {edit: func(c *MemberManager) {
			c.Machines.HTTP = &HTTPMachines{URL: "https://iaas.example.com"}
			c.Machines.Libvirt = &LibvirtMachines{Address: "tls:hypervisor.example.com:16514", Certificates: "/etc/pki"}
			c.LoadBalancers.HAProxy = &HAProxy{Addresses: []string{"10.0.0.1:9999", "[fd00::1]:9999", "unix:/run/haproxy.sock"}}
			c.LoadBalancers.Providers = []LoadBalancerProvider{
				{Name: "luoji-slb", URL: "https://slb.example.com"}, {Name: "example.com/slb", URL: "https://slb.example.com/v2"},
			}
		}},
		"a provider twice": {
			edit: func(c *MemberManager) {
				c.LoadBalancers.Providers = []LoadBalancerProvider{{Name: "a", URL: "https://a.example.com"}, {Name: "a", URL: "https://b.example.com"}}
			},
			says: "loadBalancers.providers[1].name",
		},
		"a provider that is a type of Services": {
			edit: func(c *MemberManager) {
				c.LoadBalancers.Providers = []LoadBalancerProvider{{Name: "nodeport", URL: "https://a.example.com"}}
			},
			says: "loadBalancers.providers[0].name",
		},
		"a provider without a name": {
			edit: func(c *MemberManager) {
				c.LoadBalancers.Providers = []LoadBalancerProvider{{Name: "a b", URL: "https://a.example.com"}}
			},
			says: "loadBalancers.providers[0].name",
		},
		"a provider in the open": {
			edit: func(c *MemberManager) {
				c.LoadBalancers.Providers = []LoadBalancerProvider{{Name: "a", URL: "http://a.example.com"}}
			},
			says: "loadBalancers.providers[0].url",
		},
		"a second manager of load balancers": {
			edit: func(c *MemberManager) {
				c.ControllerID, c.Controllers.VM.Mode = "next", Disabled
				c.LoadBalancers.Providers = []LoadBalancerProvider{{Name: "a", URL: "https://a.example.com"}}
			},
			says: "loadBalancers.providers",
		},
		"a libvirt at a socket": {edit: func(c *MemberManager) {
			c.Machines.Libvirt = &LibvirtMachines{Address: "unix:/run/libvirt/libvirt-sock"}
		}},
		"a Prometheus and webhooks": {edit: func(c *MemberManager) {
			c.Monitoring.Prometheus = &MonitoringPrometheus{URL: "https://prometheus.example.com/p", TokenFile: "/etc/token"}
			c.Gates.AllowedURLs = []string{"https://gates.example.com/argosy"}
		}},
		"a Prometheus nowhere": {
			edit: func(c *MemberManager) { c.Monitoring.Prometheus = &MonitoringPrometheus{URL: "prometheus:9090"} },
			says: "monitoring.prometheus.url",
		},
		"a token in the open": {
			edit: func(c *MemberManager) {
				c.Monitoring.Prometheus = &MonitoringPrometheus{URL: "http://prometheus:9090", TokenFile: "/etc/token"}
			},
			says: "monitoring.prometheus.url",
		},
		"no time between queries": {edit: func(c *MemberManager) { c.Monitoring.PeriodSeconds = 0 }, says: "monitoring.periodSeconds"},
		"webhooks in the open": {
			edit: func(c *MemberManager) {
				c.Gates.AllowedURLs = []string{"https://a.example.com", "http://gates.example.com"}
			},
			says: "gates.allowedURLs[1]",
		},
		"no time between": {edit: func(c *MemberManager) { c.LoadBalancers.PeriodSeconds = 0 }, says: "loadBalancers.periodSeconds"},
		"HAProxy without address": {
			edit: func(c *MemberManager) { c.LoadBalancers.HAProxy = &HAProxy{} }, says: "loadBalancers.haproxy.addresses",
		},
		"HAProxy at no port": {
			edit: func(c *MemberManager) {
				c.LoadBalancers.HAProxy = &HAProxy{Addresses: []string{"10.0.0.1:9999", "10.0.0.2"}}
			},
			says: "loadBalancers.haproxy.addresses[1]",
		},
		"HAProxy at a relative path": {
			edit: func(c *MemberManager) { c.LoadBalancers.HAProxy = &HAProxy{Addresses: []string{"unix:haproxy.sock"}} },
			says: "loadBalancers.haproxy.addresses[0]",
		},
		"a libvirt without protection": {
			edit: func(c *MemberManager) {
				c.Machines.Libvirt = &LibvirtMachines{Address: "tcp:hypervisor.example.com:16509"}
			},
			says: "machines.libvirt.address",
		},
		"a libvirt without certificates": {
			edit: func(c *MemberManager) {
				c.Machines.Libvirt = &LibvirtMachines{Address: "tls:hypervisor.example.com:16514"}
			},
			says: "machines.libvirt.certificates",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultMemberManager()
			tc.edit(c)
			errs := c.Validate()
			switch {
			case tc.says == "" && len(errs) > 0:
				t.Errorf("refused: %v", errs)
			case tc.says != "" && (len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), tc.says+":")):
				t.Errorf("got %v, want one of %s", errs, tc.says)
			}
		})
	}
}

// TestMemberManagerSample: the sample is a whole file, and has the provider that the sample of a Component asks for.
func TestMemberManagerSample(t *testing.T) {
	c, err := LoadMemberManager("../../deploy/samples/member-manager-configuration.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asks, err := os.ReadFile("../../deploy/samples/component-balanced.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.LoadBalancers.Providers) != 1 || !strings.Contains(string(asks), "svc: {type: "+c.LoadBalancers.Providers[0].Name+"}") {
		t.Errorf("component-balanced.yaml asks for none of %+v", c.LoadBalancers.Providers)
	}
}
