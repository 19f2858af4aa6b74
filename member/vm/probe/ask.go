package probe

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/kubernetes/pkg/probe"
	grpcprobe "k8s.io/kubernetes/pkg/probe/grpc"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"
	tcpprobe "k8s.io/kubernetes/pkg/probe/tcp"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// asker has Kubernetes' own probes. As the kubelet's, the one of HTTPS verifies no certificate: it asks whether the service is up, and
// sends no secret.
type asker struct {
	http httpprobe.Prober
	tcp  tcpprobe.Prober
	grpc grpcprobe.Prober
}

func newAsker() asker {
	return asker{
		http: httpprobe.NewWithTLSConfig(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, false),
		tcp:  tcpprobe.New(), grpc: grpcprobe.New(),
	}
}

func timeout(check *v1alpha1.HealthCheck) time.Duration {
	return time.Duration(max(1, check.TimeoutSeconds)) * time.Second
}

// dial the ports of a machine, one after the other, until something answers there. A refusal is an answer: the machine's own kernel gave
// it.
func dial(address string, ports []int32, timeout time.Duration) (bool, string) {
	var told []string
	for _, port := range ports {
		dialer := probe.ProbeDialer() // as Kubernetes' probes: the connection leaves nothing behind on either side
		dialer.Timeout = timeout
		connection, err := dialer.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(int(port))))
		if err == nil {
			_ = connection.Close() // nothing was sent
			return true, ""
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return true, ""
		}
		told = append(told, err.Error())
	}
	return false, strings.Join(told, "; ")
}

// ask a server once.
func (a asker) ask(address string, check *v1alpha1.HealthCheck) (bool, string) {
	timeout := timeout(check)
	var result probe.Result
	var message string
	var err error
	switch {
	case check.HTTPGet != nil:
		var request *http.Request
		if request, err = httpprobe.NewProbeRequest(address2URL(address, check.HTTPGet), nil); err == nil {
			result, message, err = a.http.Probe(request, timeout)
		}
	case check.TCPSocket != nil:
		result, message, err = a.tcp.Probe(address, int(check.TCPSocket.Port), timeout)
	case check.GRPC != nil:
		result, message, err = a.grpc.Probe(address, check.GRPC.Service, int(check.GRPC.Port), timeout)
	default:
		return true, "nothing is asked"
	}
	if err != nil {
		return false, err.Error()
	}
	if passed := result == probe.Success || result == probe.Warning; passed {
		return true, "" // what a service answers may be private
	}
	return false, strings.ToValidUTF8(message, "")
}

func address2URL(address string, check *v1alpha1.HTTPGetCheck) *url.URL {
	out, err := url.Parse(check.Path)
	if err != nil {
		out = &url.URL{Path: check.Path}
	}
	out.Scheme = strings.ToLower(string(check.Scheme))
	if out.Scheme == "" {
		out.Scheme = "http"
	}
	out.Host = net.JoinHostPort(address, strconv.Itoa(int(check.Port)))
	return out
}

// what is asked, for people.
func what(address string, check *v1alpha1.HealthCheck) string {
	switch {
	case check.HTTPGet != nil:
		return "GET " + address2URL(address, check.HTTPGet).String()
	case check.TCPSocket != nil:
		return fmt.Sprintf("TCP %s:%d", address, check.TCPSocket.Port)
	case check.GRPC != nil:
		return fmt.Sprintf("gRPC %s:%d %s", address, check.GRPC.Port, check.GRPC.Service)
	}
	return "nothing"
}
