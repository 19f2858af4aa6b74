package domains

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/balance/service"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/deployments"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/libvirtdriver"
	"github.com/argosy-dev/argosy/member/vm/pools"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/member/vm/servers"
	"github.com/argosy-dev/argosy/member/vm/sets"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/machines/tarball"
)

const namespace = "default"

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

// lead starts an API server, and the controllers of argosy-member-manager with the driver.
func lead(t *testing.T, driver *libvirtdriver.Driver) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	server, err := lab.NewAPIServer(context.WithoutCancel(t.Context()), lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	api, err := client.New(lab.Patient(server.Config), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	every := control.Options{Concurrency: 4}
	fixture.Leader{Config: server.Config, Scheme: scheme, Namespace: namespace, Add: func(_ context.Context, mgr ctrl.Manager) error {
		err := servers.AddToManager(mgr, servers.Options{
			Options: every, Drivers: map[string]machine.Driver{libvirtdriver.Name: driver}, Period: time.Second, Holder: "leader",
			Metrics: prometheus.NewRegistry(),
		})
		if err != nil {
			return err
		}
		if err := deployments.AddToManager(mgr, deployments.Options{Options: every}); err != nil {
			return err
		}
		err = pools.AddToManager(mgr, pools.Options{
			Concurrency: 2, Drivers: map[string]balance.Driver{service.Name: service.New(mgr.GetAPIReader(), mgr.GetClient())},
			Period: time.Second, Metrics: prometheus.NewRegistry(),
		})
		if err != nil {
			return err
		}
		return sets.AddToManager(mgr, sets.Options{
			Options: every, Drivers: []string{libvirtdriver.Name}, Balancers: []string{service.Name},
		})
	}}.Start(t)
	return api
}

// artifacts are served to the machines.
func artifacts(t *testing.T, files map[string][]byte) (put func(name string) (source, checksum string)) {
	t.Helper()
	listener, err := net.Listen("tcp", hostAddress+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(files[r.URL.Path])
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return func(name string) (source, checksum string) {
		sum := sha256.Sum256(files[name])
		return "http://" + listener.Addr().String() + name, "sha256:" + hex.EncodeToString(sum[:])
	}
}

// set of one machine with a package, in a pool of the Service shop.
func set(tool v1alpha1.Package) *v1alpha1.VMReplicaSet {
	out := &v1alpha1.VMReplicaSet{ObjectMeta: meta("shop")}
	labels := map[string]v1alpha1.LabelValue{"app": "shop"}
	out.Spec.Replicas = ptr.To[int32](1)
	out.Spec.Selector.MatchLabels, out.Spec.Template.Metadata.Labels = labels, labels
	out.Spec.RemovalPolicy = v1alpha1.RemovalDelete
	out.Spec.Template.Spec = v1alpha1.ServerTemplateSpec{
		Machine: v1alpha1.Machine{
			Driver: libvirtdriver.Name, Image: "blank",
			Resources: v1alpha1.MachineResources{corev1.ResourceMemory: resource.MustParse("192Mi")},
			Params: map[string]v1alpha1.BoundedString{
				libvirtdriver.ParamKernel: "kernel", libvirtdriver.ParamInitrd: "initrd", libvirtdriver.ParamCmdline: "quiet panic=1",
			},
			Access:      &v1alpha1.MachineAccess{PrivateKeyRef: v1alpha1.LocalReference{Name: "access"}},
			UserDataRef: &v1alpha1.LocalReference{Name: "boot"},
		},
		Packages: []v1alpha1.Package{tool},
		HealthCheck: &v1alpha1.HealthCheck{
			HTTPGet: &v1alpha1.HTTPGetCheck{Port: 8080, Path: "/version"}, PeriodSeconds: 2, TimeoutSeconds: 2, FailureThreshold: 30,
			StartupSeconds: ptr.To[int32](300),
		},
		LoadBalancers: []v1alpha1.LoadBalancer{{
			Name: "public", Driver: service.Name, Pool: "shop", Port: 8080, DrainSeconds: ptr.To[int32](0),
		}},
	}
	return out
}

// TestTheWholeWay: libvirt's QEMU driver makes a machine for a set, by emulation; its lease is its address and the driver's host key its
// proof; a package and a release come onto it over SSH, its Service gets it, customers are answered; and with its set it is gone, domain
// and all.
func TestTheWholeWay(t *testing.T) {
	libvirtd, driver := newLibvirt(t)
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(2 * patience)
	g.SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	put := artifacts(t, map[string][]byte{
		"/tool.tar": tarball.Of(t, map[string]string{"tool/bin/tool": "#!/bin/sh\necho a tool\n"}),
		"/web.tar":  tarball.Of(t, map[string]string{"www/version": "1.0", "start": "killall httpd; httpd -p 8080 -h \"$(pwd -P)/www\""}),
	})
	tool := v1alpha1.Package{
		Name: "tool", Version: "1.0", Installer: v1alpha1.InstallerArchive, Params: map[string]v1alpha1.BoundedString{"stripComponents": "1"},
	}
	tool.Source, tool.Checksum = put("/tool.tar")
	web := &v1alpha1.VMDeployment{ObjectMeta: meta("shop")}
	web.Spec.TargetRef = v1alpha1.TargetReference{Name: "shop"}
	web.Spec.Release = v1alpha1.Release{Version: "1.0", Params: map[string]v1alpha1.BoundedString{"path": "/srv/web", "restart": ". ./start"}}
	web.Spec.Release.Artifact, web.Spec.Release.Checksum = put("/web.tar")
	key, public, err := remotetest.Key()
	g.Expect(err).NotTo(gomega.HaveOccurred())

	api := lead(t, driver)
	front := &corev1.Service{ObjectMeta: meta("shop")}
	front.Spec.Ports = []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}
	machines := set(tool)
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: meta("access"), Type: corev1.SecretTypeSSHAuth, Data: map[string][]byte{corev1.SSHAuthPrivateKey: key}},
		&corev1.Secret{ObjectMeta: meta("boot"), Data: map[string][]byte{
			"userData": []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public))),
		}},
		front, machines, web,
	} {
		g.Expect(api.Create(t.Context(), object)).To(gomega.Succeed())
	}
	server, said := &v1alpha1.Server{}, ""
	g.Eventually(func() string {
		if err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "shop-1"}, server); err != nil {
			return err.Error()
		}
		if now := state(server); now != said {
			said = now
			t.Log(said)
		}
		return said
	}).Should(gomega.Equal("Ready"))
	g.Expect(server.Status.Packages).To(gomega.Equal([]v1alpha1.InstalledPackage{{Name: "tool", Version: "1.0"}}))
	address := server.Status.Addresses[0].Address
	g.Expect(get(t, "http://"+address+":8080/version")).To(gomega.Equal("1.0"))
	g.Eventually(func() []string { return endpoints(t, api) }).Should(gomega.Equal([]string{address}))

	g.Expect(api.Delete(t.Context(), machines)).To(gomega.Succeed())
	g.Eventually(func() bool {
		return apierrors.IsNotFound(api.Get(t.Context(), client.ObjectKeyFromObject(server), server))
	}).Should(gomega.BeTrue())
	all, _, err := libvirtd.ConnectListAllDomains(1, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	running, _, err := libvirtd.ConnectListAllDomains(1, libvirt.ConnectListDomainsActive)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.HaveLen(1), "beside what says that the key was removed")
	g.Expect(running).To(gomega.BeEmpty())
}

// state of a server: its phase once it is ready, or what it waits for.
func state(s *v1alpha1.Server) string {
	for _, c := range s.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue {
			return string(s.Status.Phase)
		}
	}
	out := string(s.Status.Phase)
	for _, task := range s.Status.Tasks {
		out += fmt.Sprintf("\n%s %s %s", task.ID, task.State, task.Message)
	}
	return out
}

func get(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// endpoints of the Service shop that are ready.
func endpoints(t *testing.T, api client.Client) []string {
	t.Helper()
	list := &discoveryv1.EndpointSliceList{}
	err := api.List(t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{discoveryv1.LabelServiceName: "shop"})
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, slice := range list.Items {
		for _, one := range slice.Endpoints {
			if ptr.Deref(one.Conditions.Ready, false) {
				out = append(out, one.Addresses...)
			}
		}
	}
	return out
}
