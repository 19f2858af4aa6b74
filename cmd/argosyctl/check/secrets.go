package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Secret of the host cluster: without Data it is not there, and with Err that is not known.
type Secret struct {
	Data map[string][]byte
	Err  error
}

// mount is a Secret as the chart mounts it.
type mount struct {
	// value of the chart that names it, and how that is written; by says who mounts it.
	value, setting, by string
	secret             string
	keys               []string
}

func mountKubeconfig(s KubeconfigSecret) mount {
	return mount{
		value: "karmada.kubeconfigSecret", by: "the install jobs mount", secret: s.Name, keys: []string{s.Key},
		setting: fmt.Sprintf("karmada: {kubeconfigSecret: {name: %s, key: %s}}", s.Name, s.Key),
	}
}

func mountCertificate(s EstimatorSecret) mount {
	return mount{
		value: "estimator.tls", by: "the estimator mounts", secret: s.SecretName, keys: []string{s.CertKey, s.KeyKey, s.ClientCAKey},
		setting: fmt.Sprintf("estimator: {tls: {secretName: %s, certKey: %s, keyKey: %s, clientCAKey: %s}}",
			s.SecretName, s.CertKey, s.KeyKey, s.ClientCAKey),
	}
}

// mounts are what the values name, and what Karmada's installers make for the same purpose.
func mounts(values Values) (kubeconfigs, certificates []mount) {
	kubeconfigs = append(kubeconfigs, mountKubeconfig(values.Karmada.KubeconfigSecret))
	for _, s := range installersKubeconfigs {
		kubeconfigs = append(kubeconfigs, mountKubeconfig(s))
	}
	certificates = append(certificates, mountCertificate(values.Estimator.TLS))
	for _, s := range installersCertificates {
		certificates = append(certificates, mountCertificate(s))
	}
	return kubeconfigs, certificates
}

func readSecrets(ctx context.Context, host kubernetes.Interface, namespace string, values Values) map[string]Secret {
	out := map[string]Secret{}
	kubeconfigs, certificates := mounts(values)
	for _, m := range append(kubeconfigs, certificates...) {
		if _, done := out[m.secret]; done {
			continue
		}
		secret, err := host.CoreV1().Secrets(namespace).Get(ctx, m.secret, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			out[m.secret] = Secret{}
		case err != nil:
			out[m.secret] = Secret{Err: fmt.Errorf("reading Secret %s/%s of the host cluster: %w", namespace, m.secret, err)}
		default:
			out[m.secret] = Secret{Data: secret.Data}
		}
	}
	return out
}

// verdict on a Secret that has its keys: what is wrong with it and what to do, or what is to be said of it.
type verdict struct {
	fault, remedy, said string
}

// secrets says whether each Secret that the chart mounts before argosyctl install has made any is there, and can serve: a pod waits for its
// Secret without an end, and helm with it.
func secrets(facts Facts, now time.Time) []Result {
	h := facts.Host
	if !h.Asked || h.Err != nil {
		return nil
	}
	kubeconfigs, certificates := mounts(h.Values)
	create := fmt.Sprintf("kubectl -n %s create secret generic %s --from-file=%s=karmada.kubeconfig makes it of an administrator's kubeconfig",
		h.Namespace, kubeconfigs[0].secret, kubeconfigs[0].keys[0])
	out := []Result{h.judge(kubeconfigs, create, h.kubeconfig)}
	if h.Values.Estimator.Enabled {
		out = append(out, h.judge(certificates, "make it (docs/security.md)", func(m mount) verdict { return h.certificate(m, now) }))
	}
	return out
}

// judge the first; where it is not there, one of the others may be.
func (h Host) judge(candidates []mount, create string, content func(mount) verdict) Result {
	m, others := candidates[0], candidates[1:]
	secret := h.Secrets[m.secret]
	is := fmt.Sprintf("Secret %s of namespace %s of the host cluster", m.secret, h.Namespace)
	lacks := h.lacks(m)
	switch {
	case secret.Err != nil:
		return Result{m.value, Unknown, secret.Err.Error(), "ask as somebody who may read Secrets there"}
	case len(lacks) == 0:
		v := content(m)
		if v.fault != "" {
			return Result{m.value, Problem, is + ": " + v.fault, v.remedy}
		}
		return Result{m.value, OK, is + ": " + v.said, ""}
	}
	message := fmt.Sprintf("there is no %s: %s its %s", is, m.by, strings.Join(m.keys, ", "))
	if secret.Data != nil {
		message = fmt.Sprintf("%s has no %s: %s its %s", is, strings.Join(lacks, ", "), m.by, strings.Join(m.keys, ", "))
	}
	for _, other := range others {
		if len(h.lacks(other)) > 0 || content(other).fault != "" {
			continue
		}
		remedy := fmt.Sprintf("Secret %s serves: write into the chart's values %s", other.secret, other.setting)
		if h.Values.Given {
			return Result{m.value, Problem, message, remedy}
		}
		// Whoever installs may have written it, and has not told us.
		return Result{m.value, Warning, message, remedy + ", and name the file by --values"}
	}
	return Result{m.value, Problem, message, create + ", or name the one that Karmada's installer made (docs/install.md has them)"}
}

// lacks are the keys that are not in the Secret, or are empty.
func (h Host) lacks(m mount) []string {
	var out []string
	for _, key := range m.keys {
		if len(h.Secrets[m.secret].Data[key]) == 0 {
			out = append(out, key)
		}
	}
	return out
}

// kubeconfig is read in a pod, which has none of the files of the machine where it was written, and goes where the network policy lets it.
func (h Host) kubeconfig(m mount) verdict {
	key := m.keys[0]
	config, err := clientcmd.Load(h.Secrets[m.secret].Data[key])
	if err != nil {
		return verdict{fault: fmt.Sprintf("its %s is no kubeconfig: %v", key, err), remedy: "put an administrator's kubeconfig there"}
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil || config.Clusters[current.Cluster] == nil || config.AuthInfos[current.AuthInfo] == nil {
		return verdict{
			fault:  fmt.Sprintf("the current context %q of its %s names no cluster and user that are in it", config.CurrentContext, key),
			remedy: "kubectl config view --minify --flatten writes one that is whole",
		}
	}
	if file := onDisk(config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo]); file != "" {
		return verdict{fault: fmt.Sprintf("its %s refers to %s, which no pod has", key, file),
			remedy: "kubectl config view --minify --flatten embeds files"}
	}
	return h.address(key, config.Clusters[current.Cluster].Server)
}

func onDisk(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) string {
	for _, file := range []struct {
		name     string
		embedded bool
	}{
		{cluster.CertificateAuthority, len(cluster.CertificateAuthorityData) > 0},
		{user.ClientCertificate, len(user.ClientCertificateData) > 0},
		{user.ClientKey, len(user.ClientKeyData) > 0},
		{user.TokenFile, user.Token != ""},
	} {
		if file.name != "" && !file.embedded {
			return file.name
		}
	}
	if user.Exec != nil {
		return "program " + user.Exec.Command
	}
	return ""
}

// address is where the pods will look for karmada-apiserver.
func (h Host) address(key, server string) verdict {
	parsed, err := url.Parse(server)
	if err != nil || parsed.Hostname() == "" {
		return verdict{
			fault: fmt.Sprintf("the server %q of its %s is no address", server, key), remedy: "put an administrator's kubeconfig there",
		}
	}
	if ip := net.ParseIP(parsed.Hostname()); ip != nil && ip.IsLoopback() || parsed.Hostname() == "localhost" {
		return verdict{fault: fmt.Sprintf("the server %s of its %s is, in a pod, the pod itself", server, key),
			remedy: "write the address of karmada-apiserver's Service"}
	}
	port := parsed.Port()
	if port == "" {
		port = "443"
	}
	if allowed := strconv.Itoa(int(h.Values.Karmada.APIServerPort)); h.Values.NetworkPolicy.Enabled && port != allowed {
		return verdict{
			fault: fmt.Sprintf("the server %s of its %s is at port %s, and the chart's network policies let our programs reach %s alone",
				server, key, port, allowed),
			remedy: fmt.Sprintf("write into the chart's values karmada: {apiserverPort: %s}, and the address into networkPolicy.karmadaApiserver "+
				"where it is no pod of Karmada's namespace", port),
		}
	}
	return verdict{said: "an administrator's kubeconfig at " + server}
}

// certificate is shown by the estimator to karmada-scheduler, which calls it by the name of its Service.
func (h Host) certificate(m mount, now time.Time) verdict {
	data, certKey, keyKey, authorityKey := h.Secrets[m.secret].Data, m.keys[0], m.keys[1], m.keys[2]
	const another = "make one of the estimator's own (docs/security.md)"
	pair, err := tls.X509KeyPair(data[certKey], data[keyKey])
	if err != nil {
		return verdict{fault: fmt.Sprintf("its %s and %s are no pair: %v", certKey, keyKey, err), remedy: another}
	}
	if name := "argosy-estimator." + h.Namespace + ".svc"; pair.Leaf.VerifyHostname(name) != nil {
		return verdict{fault: fmt.Sprintf("its %s does not bear the name %s, by which the estimator is called", certKey, name),
			remedy: "install in Karmada's namespace, or " + another}
	}
	if until := pair.Leaf.NotAfter; now.After(until) {
		return verdict{fault: fmt.Sprintf("its %s ended at %s", certKey, until.UTC().Format(time.RFC3339)), remedy: another}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data[authorityKey]) {
		return verdict{fault: fmt.Sprintf("its %s holds no certificate", authorityKey), remedy: another}
	}
	return verdict{said: "a certificate until " + pair.Leaf.NotAfter.UTC().Format(time.RFC3339)}
}
