package vm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// serveAt has this program be the service that is released: see serve.
const serveAt = "ARGOSY_TEST_SERVE"

// serve what release this is, until the machine has a file that says that the service is sick.
func serve(at string) int {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(filepath.Join(os.Getenv("ARGOSY_ROOT"), "sick")); err == nil {
			http.Error(w, "sick", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, os.Getenv("ARGOSY_VERSION"))
	})
	server := &http.Server{Addr: at, Handler: mux, ReadHeaderTimeout: time.Minute}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	return 1
}

// startup is the restart command of a release: the service that ran gives way.
const startup = `
pid=$ARGOSY_ROOT/service.pid
if [ -f "$pid" ]; then kill -9 "$(cat "$pid")" 2>/dev/null || :; fi
` + serveAt + `=$ADDRESS:8080 setsid "$SERVICE" </dev/null >/dev/null 2>&1 &
echo $! >"$pid"
`

// network is why machines have no network here; nil: they have.
var network error

var subnets atomic.Int32

// newGuests is a world whose machines do something, and a store of artifacts.
func newGuests(t *testing.T) (*world, *artifacts) {
	t.Helper()
	w := newWorld(t)
	if network != nil {
		t.Fatalf("machines need a network: %v", network)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	guests := &iaas.Guests{Dir: t.TempDir(), Env: []string{"SERVICE=" + self, "ADDRESS=$ADDRESS"}}
	t.Cleanup(guests.Close)
	w.system.Guests, w.system.Subnet = guests, int(subnets.Add(1))
	key, public, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	w.create(
		&corev1.Secret{ObjectMeta: w.meta("access"), Type: corev1.SecretTypeSSHAuth, Data: map[string][]byte{corev1.SSHAuthPrivateKey: key}},
		&corev1.Secret{ObjectMeta: w.meta("boot"), Data: map[string][]byte{
			"userData": []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public))),
		}},
	)
	return w, newArtifacts(t)
}

// guests is a set whose machines can be logged into.
func (w *world) guests(name string, replicas int32) *v1alpha1.VMReplicaSet {
	set := w.set(name, replicas)
	set.Spec.Template.Spec.Machine.Access = &v1alpha1.MachineAccess{PrivateKeyRef: v1alpha1.LocalReference{Name: "access"}}
	set.Spec.Template.Spec.Machine.UserDataRef = &v1alpha1.LocalReference{Name: "boot"}
	return set
}

// probed adds the health check of the service. A busy machine may keep a service that is well from answering within a second, or from
// coming up within several: neither is to take it out.
func probed(set *v1alpha1.VMReplicaSet) *v1alpha1.VMReplicaSet {
	set.Spec.Template.Spec.HealthCheck = &v1alpha1.HealthCheck{
		HTTPGet: &v1alpha1.HTTPGetCheck{Port: 8080, Path: "/health"}, PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 5,
		StartupSeconds: ptr.To[int32](30),
	}
	return set
}

// deployment of the service to the set web.
func (w *world) deployment(release v1alpha1.Release) *v1alpha1.VMDeployment {
	out := &v1alpha1.VMDeployment{ObjectMeta: w.meta("web")}
	out.Spec.TargetRef = v1alpha1.TargetReference{Name: "web"}
	out.Spec.Release = release
	return out
}

// artifacts are served over HTTP.
type artifacts struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	files map[string][]byte
}

func newArtifacts(t *testing.T) *artifacts {
	t.Helper()
	a := &artifacts{t: t, files: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		text, ok := a.files[r.URL.Path]
		a.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *artifacts) put(name string, text []byte) (source, checksum string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files["/"+name] = text
	sum := sha256.Sum256(text)
	return a.url + "/" + name, "sha256:" + hex.EncodeToString(sum[:])
}

// archive of files, by name.
func (a *artifacts) archive(name string, files map[string]string) (source, checksum string) {
	a.t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	writer := tar.NewWriter(zip)
	for file, text := range files {
		if err := writer.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(text))}); err != nil {
			a.t.Fatal(err)
		}
		if _, err := io.WriteString(writer, text); err != nil {
			a.t.Fatal(err)
		}
	}
	if err := errors.Join(writer.Close(), zip.Close()); err != nil {
		a.t.Fatal(err)
	}
	return a.put(name, out.Bytes())
}

// release of the service; its start is what the artifact has in start.sh.
func (a *artifacts) release(version, start string) v1alpha1.Release {
	a.t.Helper()
	source, checksum := a.archive("service-"+version+".tgz", map[string]string{"start.sh": start})
	return v1alpha1.Release{
		Version: version, Artifact: source, Checksum: checksum,
		Params: map[string]v1alpha1.BoundedString{"path": "/srv/web", "restart": ". ./start.sh"},
	}
}

// script is a package that runs one.
func (a *artifacts) script(name, text string) v1alpha1.Package {
	source, checksum := a.put(name+".sh", []byte("#!/bin/sh\nset -eu\n"+text))
	return v1alpha1.Package{Name: name, Version: "1", Installer: v1alpha1.InstallerScript, Source: source, Checksum: checksum}
}

func (w *world) server(name string) *v1alpha1.Server {
	w.t.Helper()
	out := &v1alpha1.Server{ObjectMeta: w.meta(name)}
	if err := api.Get(w.ctx, client.ObjectKeyFromObject(out), out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// path of a file on a server's machine.
func (w *world) path(server, file string) string {
	return filepath.Join(w.system.Guests.Root(w.server(server).Spec.ProviderID), file)
}

// file on a server's machine; "" for none.
func (w *world) file(server, file string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(server, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) touch(server, file string) {
	w.t.Helper()
	w.touchAll(file, server)
}

// touchAll does so on several servers' machines, with no waiting in between.
func (w *world) touchAll(file string, servers ...string) {
	w.t.Helper()
	var paths []string
	for _, server := range servers {
		paths = append(paths, w.path(server, file))
	}
	for _, path := range paths {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// answer of a server's service, which is asked until it gives one.
func (w *world) answer(server string) string {
	w.t.Helper()
	answer := ""
	err := wait.PollUntilContextTimeout(w.ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		addresses := w.server(server).Status.Addresses
		if len(addresses) == 0 {
			return false, nil
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addresses[0].Address+":8080/", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		answer = strings.TrimSpace(string(text))
		return err == nil, nil
	})
	if err != nil {
		return "no answer: " + err.Error()
	}
	return answer
}
