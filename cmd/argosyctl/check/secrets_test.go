package check

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/argosy-dev/argosy/internal/certificates"
)

// kubeconfig as Karmada's installers write it for the components in its namespace, with alterations.
func kubeconfig(replace ...string) []byte {
	return []byte(strings.NewReplacer(replace...).Replace(`apiVersion: v1
kind: Config
current-context: karmada
contexts: [{name: karmada, context: {cluster: karmada, user: admin}}]
clusters: [{name: karmada, cluster: {server: "https://karmada-apiserver.karmada-system.svc:5443", certificate-authority-data: QQ==}}]
users: [{name: admin, user: {client-certificate-data: QQ==, client-key-data: QQ==}}]
`))
}

// karmadas are the data of Secret karmada-cert, for a server of that name.
func karmadas(t *testing.T, name string) map[string][]byte {
	t.Helper()
	authority, _, err := certificates.EnsureAuthority(certificates.Authority{}, now)
	if err != nil {
		t.Fatal(err)
	}
	serving, _, err := certificates.EnsureServing(certificates.Pair{}, authority, []string{name}, now)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"karmada.crt": serving.Cert, "karmada.key": serving.Key, "ca.crt": authority.Cert}
}

// withValues reads the chart's defaults, or these over them.
func withValues(t *testing.T, text string) Values {
	t.Helper()
	var files []string
	if text != "" {
		files = []string{filepath.Join(t.TempDir(), "values.yaml")}
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	values, err := ReadValues(files)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// ready has what the chart mounts by its defaults.
func ready(t *testing.T, values Values) Facts {
	t.Helper()
	facts := whole()
	facts.Host.Values = values
	facts.Host.Secrets = map[string]Secret{
		"karmada-kubeconfig": {Data: map[string][]byte{"kubeconfig": kubeconfig()}},
		"karmada-cert":       {Data: karmadas(t, "*.karmada-system.svc")},
	}
	return facts
}

// TestSecretsBefore: each Secret that the chart mounts, and what is to be done where it cannot serve.
func TestSecretsBefore(t *testing.T) {
	const byInit = "karmada-controller-manager-config"
	init := func(f *Facts) {
		f.Host.Secrets[byInit] = Secret{Data: map[string][]byte{"karmada.config": kubeconfig()}}
		delete(f.Host.Secrets, "karmada-kubeconfig")
	}
	key := func(secret, key string, content []byte) func(*Facts) {
		return func(f *Facts) {
			data := maps.Clone(f.Host.Secrets[secret].Data)
			data[key] = content
			f.Host.Secrets[secret] = Secret{Data: data}
		}
	}
	for name, tc := range map[string]struct {
		values string
		alter  func(*Facts)
		check  string
		want   Status
		says   []string
	}{
		"no kubeconfig": {
			alter: func(f *Facts) { delete(f.Host.Secrets, "karmada-kubeconfig") }, check: "karmada.kubeconfigSecret", want: Problem,
			says: []string{
				"there is no Secret karmada-kubeconfig of namespace karmada-system of the host cluster: the install jobs mount its kubeconfig",
				"kubectl -n karmada-system create secret generic karmada-kubeconfig --from-file=kubeconfig=karmada.kubeconfig",
			},
		},
		"karmadactl's is there, and no values are given": {
			alter: init, check: "karmada.kubeconfigSecret", want: Warning,
			says: []string{"there is no Secret karmada-kubeconfig", "Secret " + byInit + " serves",
				"karmada: {kubeconfigSecret: {name: " + byInit + ", key: karmada.config}}, and name the file by --values"},
		},
		"karmadactl's is there, and the values do not name it": {
			values: "image: {repository: registry.example}\n", alter: init, check: "karmada.kubeconfigSecret", want: Problem,
			says: []string{"there is no Secret karmada-kubeconfig", "write into the chart's values karmada: {kubeconfigSecret: {name: " + byInit},
		},
		"the values name karmadactl's": {
			values: "karmada: {kubeconfigSecret: {name: " + byInit + ", key: karmada.config}}\n", alter: init,
		},
		"a key of another name": {
			values: "karmada: {kubeconfigSecret: {name: " + byInit + "}}\n", alter: init, check: "karmada.kubeconfigSecret", want: Problem,
			says: []string{"Secret " + byInit + " of namespace karmada-system of the host cluster has no kubeconfig", "key: karmada.config}}"},
		},
		"an empty key": {
			alter: key("karmada-kubeconfig", "kubeconfig", nil), check: "karmada.kubeconfigSecret", want: Problem,
			says: []string{"has no kubeconfig"},
		},
		"may not read": {
			alter: func(f *Facts) { f.Host.Secrets["karmada-kubeconfig"] = Secret{Err: errors.New("forbidden")} },
			check: "karmada.kubeconfigSecret", want: Unknown, says: []string{"forbidden", "may read Secrets"},
		},
		"no kubeconfig in it": {
			alter: key("karmada-kubeconfig", "kubeconfig", []byte("{")), check: "karmada.kubeconfigSecret", want: Problem,
			says: []string{"its kubeconfig is no kubeconfig"},
		},
		"a context that is not there": {
			alter: key("karmada-kubeconfig", "kubeconfig", kubeconfig("current-context: karmada", "current-context: other")),
			check: "karmada.kubeconfigSecret", want: Problem, says: []string{`context "other" of its kubeconfig`},
		},
		"a file of a desk": {
			alter: key("karmada-kubeconfig", "kubeconfig", kubeconfig("client-key-data: QQ==", "client-key: /home/me/key.pem")),
			check: "karmada.kubeconfigSecret", want: Problem, says: []string{"refers to /home/me/key.pem, which no pod has", "--flatten"},
		},
		"a program of a desk": {
			alter: key("karmada-kubeconfig", "kubeconfig", kubeconfig("client-certificate-data: QQ==, client-key-data: QQ==",
				"exec: {apiVersion: client.authentication.k8s.io/v1, command: oidc-login, interactiveMode: Never}")),
			check: "karmada.kubeconfigSecret", want: Problem, says: []string{"refers to program oidc-login, which no pod has"},
		},
		"an address of the desk": {
			alter: key("karmada-kubeconfig", "kubeconfig", kubeconfig("karmada-apiserver.karmada-system.svc", "127.0.0.1")),
			check: "karmada.kubeconfigSecret", want: Problem, says: []string{"https://127.0.0.1:5443", "the pod itself"},
		},
		"a node's port": {
			alter: key("karmada-kubeconfig", "kubeconfig", kubeconfig("karmada-apiserver.karmada-system.svc:5443", "10.0.0.7:32443")),
			check: "karmada.kubeconfigSecret", want: Problem,
			says: []string{"is at port 32443", "reach 5443 alone", "karmada: {apiserverPort: 32443}"},
		},
		"a node's port that is let through": {
			values: "karmada: {apiserverPort: 32443}\n",
			alter:  key("karmada-kubeconfig", "kubeconfig", kubeconfig("karmada-apiserver.karmada-system.svc:5443", "10.0.0.7:32443")),
		},
		"any port without policies": {
			values: "networkPolicy: {enabled: false}\n", alter: key("karmada-kubeconfig", "kubeconfig", kubeconfig(":5443", "")),
		},
		"no certificate": {
			alter: func(f *Facts) { delete(f.Host.Secrets, "karmada-cert") }, check: "estimator.tls", want: Problem,
			says: []string{
				"there is no Secret karmada-cert of namespace karmada-system of the host cluster",
				"the estimator mounts its karmada.crt, karmada.key, ca.crt", "docs/security.md",
			},
		},
		"Karmada's chart calls the authority otherwise": {
			alter: func(f *Facts) {
				data := f.Host.Secrets["karmada-cert"].Data
				data["server-ca.crt"] = data["ca.crt"]
				delete(data, "ca.crt")
			},
			check: "estimator.tls", want: Warning, says: []string{"has no ca.crt", "clientCAKey: server-ca.crt}}"},
		},
		"no estimator, no certificate": {
			values: "estimator: {enabled: false}\n", alter: func(f *Facts) { delete(f.Host.Secrets, "karmada-cert") },
		},
		"no pair": {
			alter: key("karmada-cert", "karmada.key", karmadas(t, "*.karmada-system.svc")["karmada.key"]), check: "estimator.tls", want: Problem,
			says: []string{"its karmada.crt and karmada.key are no pair"},
		},
		"of another namespace": {
			alter: func(f *Facts) { f.Host.Secrets["karmada-cert"] = Secret{Data: karmadas(t, "*.karmada.svc")} },
			check: "estimator.tls", want: Problem, says: []string{"does not bear the name argosy-estimator.karmada-system.svc"},
		},
		"no authority": {
			alter: key("karmada-cert", "ca.crt", []byte("none")), check: "estimator.tls", want: Problem,
			says: []string{"its ca.crt holds no certificate"},
		},
		"a host that does not answer": {
			alter: func(f *Facts) { f.Host.Err, f.Host.Secrets = errors.New("no route"), nil }, check: "host cluster", want: Unknown,
			says: []string{"no route"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			facts := ready(t, withValues(t, tc.values))
			tc.alter(&facts)
			found := troubles(JudgeBefore(facts, now))
			if tc.check == "" {
				if len(found) > 0 {
					t.Errorf("got %+v, want nothing", found)
				}
				return
			}
			if len(found) != 1 || found[0].Check != tc.check || found[0].Status != tc.want {
				t.Fatalf("got %+v, want %s %s alone", found, tc.want, tc.check)
			}
			for _, says := range tc.says {
				if !strings.Contains(found[0].Message+"\n"+found[0].Remedy, says) {
					t.Errorf("got %q, %q, want %q", found[0].Message, found[0].Remedy, says)
				}
			}
		})
	}
}

// TestCertificateThatEnded: the estimator would show it, and karmada-scheduler refuse it.
func TestCertificateThatEnded(t *testing.T) {
	found := troubles(JudgeBefore(ready(t, withValues(t, "")), now.Add(20*365*24*time.Hour)))
	if len(found) != 1 || found[0].Check != "estimator.tls" || !strings.Contains(found[0].Message, "its karmada.crt ended at ") {
		t.Errorf("got %+v", found)
	}
}

// TestReadSecrets: what is named and what installers make is read, each once, and what may not be read is unknown.
func TestReadSecrets(t *testing.T) {
	host := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "karmada-system", Name: "mine"},
		Data: map[string][]byte{"kubeconfig": []byte("a")}})
	asked := map[string]int{}
	host.PrependReactor("get", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		name := action.(clienttesting.GetAction).GetName()
		asked[name]++
		if name == "karmada-cert" {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, name, nil)
		}
		return false, nil, nil
	})
	found := readSecrets(t.Context(), host, "karmada-system", withValues(t, "karmada: {kubeconfigSecret: {name: mine}}\n"))
	if string(found["mine"].Data["kubeconfig"]) != "a" {
		t.Errorf("what is there: %+v", found["mine"])
	}
	if s, looked := found["karmada-controller-manager-config"]; !looked || s.Data != nil || s.Err != nil {
		t.Errorf("what is not there: %+v, %t", s, looked)
	}
	if err := found["karmada-cert"].Err; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "Secret karmada-system/karmada-cert") {
		t.Errorf("what may not be read: %v", err)
	}
	for name, times := range asked {
		if times != 1 {
			t.Errorf("%s was read %d times", name, times)
		}
	}
}

// TestValuesAreTheCharts: the defaults here are the chart's own, and files go over them in their order.
func TestValuesAreTheCharts(t *testing.T) {
	chart, err := ReadValues([]string{filepath.Join("..", "..", "..", "deploy", "chart", "values.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	defaults := withValues(t, "")
	if chart.Given = false; chart != defaults {
		t.Errorf("the chart has\n%+v\nand here are\n%+v", chart, defaults)
	}
	folder := t.TempDir()
	files := []string{filepath.Join(folder, "a.yaml"), filepath.Join(folder, "b.yaml")}
	for i, text := range []string{
		"karmada: {kubeconfigSecret: {name: a, key: k}}\nestimator: {tls: {certKey: tls.crt}}\n", "karmada: {kubeconfigSecret: {name: b}}\n",
	} {
		if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	values, err := ReadValues(files)
	if err != nil {
		t.Fatal(err)
	}
	have := []string{values.Karmada.KubeconfigSecret.Name, values.Karmada.KubeconfigSecret.Key, values.Estimator.TLS.CertKey,
		values.Estimator.TLS.KeyKey}
	if want := []string{"b", "k", "tls.crt", "karmada.key"}; !slices.Equal(have, want) || !values.Estimator.Enabled {
		t.Errorf("got %v, %t, want %v", have, values.Estimator.Enabled, want)
	}
	if _, err := ReadValues([]string{filepath.Join(folder, "c.yaml")}); err == nil || !strings.Contains(err.Error(), "c.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(files[0], []byte("karmada: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadValues(files); err == nil || !strings.Contains(err.Error(), "a.yaml") {
		t.Errorf("a file that is no YAML: %v", err)
	}
}
