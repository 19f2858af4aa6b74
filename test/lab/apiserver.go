package lab

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// etcd serves every plane of a lab; each has its own key prefix.
type etcd struct {
	clientPort, peerPort int
	// durable: every write waits for the disk.
	durable bool
}

func (e etcd) url() string { return fmt.Sprintf("http://127.0.0.1:%d", e.clientPort) }

func (e etcd) spec(w *workspace) process.Spec {
	peer := fmt.Sprintf("http://127.0.0.1:%d", e.peerPort)
	var disk []string
	if !e.durable {
		// The data need not survive a power cut, and waiting for the disk is most of etcd's time.
		disk = []string{"--unsafe-no-fsync"}
	}
	return process.Spec{
		Name: "etcd",
		Path: w.programs["etcd"],
		Args: append(disk,
			"--name=lab",
			"--data-dir="+w.data("etcd"),
			"--listen-client-urls="+e.url(),
			"--advertise-client-urls="+e.url(),
			"--listen-peer-urls="+peer,
			"--initial-advertise-peer-urls="+peer,
			"--initial-cluster=lab="+peer,
			"--log-level=warn",
		),
		Log: w.log("etcd"),
		Ready: func(ctx context.Context) error {
			return get(ctx, http.DefaultClient, e.url()+"/health")
		},
	}
}

// apiServer is one kube-apiserver: a member's, or the federation's own.
type apiServer struct {
	// name is the plane's: karmada, member1. It is the etcd prefix too.
	name string
	port int
	etcd etcd
	// audit: who writes what is kept in a file.
	audit bool
	// args are added to those every plane has.
	args []string
	env  []string
}

func (a apiServer) url() string { return fmt.Sprintf("https://127.0.0.1:%d", a.port) }

func (a apiServer) kubeconfig(w *workspace) string {
	return filepath.Join(w.dir, a.name+".kubeconfig")
}

func (a apiServer) spec(w *workspace) process.Spec {
	component := a.name + "/kube-apiserver"
	args := []string{
		"--etcd-servers=" + a.etcd.url(),
		"--etcd-prefix=/" + a.name,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		// There is one server and no node that would look for it in the kubernetes Service.
		"--endpoint-reconciler-type=none",
		fmt.Sprintf("--secure-port=%d", a.port),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--enable-bootstrap-token-auth=true",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + w.pki("service-accounts.crt"),
		"--service-account-signing-key-file=" + w.pki("service-accounts.key"),
		"--client-ca-file=" + w.pki("ca.crt"),
		"--tls-cert-file=" + w.pki("server.crt"),
		"--tls-private-key-file=" + w.pki("server.key"),
		"--proxy-client-cert-file=" + w.pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + w.pki("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + w.pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
	}
	if a.audit {
		args = append(args, w.auditArgs(a.name)...)
	}
	return process.Spec{
		Name: component,
		Path: w.programs["kube-apiserver"],
		Args: append(args, a.args...),
		Env:  a.env,
		Log:  w.log(component),
		Ready: func(ctx context.Context) error {
			return a.ready(ctx, w)
		},
	}
}

// ready asks as an administrator: an answer proves TLS, authentication and etcd at once. The namespaces that every cluster has may come a
// moment after the server says that it is ready: tests write into default at once.
func (a apiServer) ready(ctx context.Context, w *workspace) error {
	cfg, err := restConfig(a.kubeconfig(w))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	if _, err := client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
		return fmt.Errorf("asking %s/readyz: %w", a.url(), err)
	}
	if _, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{}); err != nil {
		return fmt.Errorf("asking %s for its first namespaces: %w", a.url(), err)
	}
	return nil
}

// get succeeds when url answers with 200.
func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
