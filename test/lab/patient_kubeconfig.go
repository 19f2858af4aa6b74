package lab

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/argosy-dev/argosy/test/lab/pki"
)

// PatientKubeconfig is Patient for programs that tests start, such as kubectl: they take a trouble of the machine for an answer as well. It
// is the path of a kubeconfig with the lab's contexts, each of which leads to its API server through this process, until stop is called.
func (l *Lab) PatientKubeconfig() (path string, stop func(), err error) {
	out := clientcmdapi.NewConfig()
	var servers []*httptest.Server
	stop = func() {
		for _, server := range servers {
			server.CloseClientConnections()
			server.Close()
		}
	}
	for name := range l.Kubeconfigs {
		config, err := l.Config(name)
		if err != nil {
			return "", stop, err
		}
		handler, err := patientProxy(config)
		if err != nil {
			return "", stop, err
		}
		server := httptest.NewServer(handler)
		servers = append(servers, server)
		out.Clusters[name] = &clientcmdapi.Cluster{Server: server.URL}
		out.Contexts[name] = &clientcmdapi.Context{Cluster: name}
	}
	out.CurrentContext = KarmadaPlaneName
	path = filepath.Join(l.Dir, "patient.kubeconfig")
	return path, stop, pki.WriteKubeconfig(out, path)
}

// patientProxy passes requests on with a config's access and patience.
func patientProxy(config *rest.Config) (http.Handler, error) {
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the address of an API server: %w", err)
	}
	transport, err := rest.TransportFor(Patient(config))
	if err != nil {
		return nil, fmt.Errorf("reaching %s: %w", target, err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // of watches each event at once
	}
	return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		// What is asked again is sent again.
		body, err := io.ReadAll(in.Body)
		if err != nil {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		if len(body) > 0 {
			in.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
			in.Body, _ = in.GetBody()
		}
		proxy.ServeHTTP(out, in)
	}), nil
}
