package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// MachinesCommand is the hidden command of argosy-lab that serves the lab's own IaaS, in which all members have their machines.
const MachinesCommand = "machines"

const machinesUnit = "lab/machines"

// machineUnit is that IaaS; none in a stock federation.
func (f *federation) machineUnit(w *workspace, opts Options) ([]unit, error) {
	if opts.Stock {
		return nil, nil
	}
	if err := w.take(&w.machines); err != nil {
		return nil, err
	}
	f.info.Endpoints[machinesUnit] = w.machinesURL()
	spec := w.spec(machinesUnit, labProgram, w.machinesURL()+"/livez", MachinesCommand,
		fmt.Sprintf("--address=127.0.0.1:%d", w.machines), "--tls-cert-file="+w.pki("server.crt"), "--tls-private-key-file="+w.pki("server.key"),
		"--machines="+w.data("machines"))
	return []unit{{Name: machinesUnit, Process: spec}}, nil
}

func (w *workspace) machinesURL() string { return fmt.Sprintf("https://127.0.0.1:%d", w.machines) }

// Machines are all that the lab's IaaS has.
func (l *Lab) Machines(ctx context.Context) ([]httpdriver.Machine, error) {
	var out []httpdriver.Machine
	return out, l.askMachines(ctx, http.MethodGet, "/machines", &out)
}

// LoadBalancers are all that the lab's IaaS has for Components, by the name of their Service.
func (l *Lab) LoadBalancers(ctx context.Context) ([]iaas.Balancer, error) {
	var out []iaas.Balancer
	return out, l.askMachines(ctx, http.MethodGet, "/loadbalancers", &out)
}

// WhyNoGuests says why machines of the lab's IaaS are entries of a table that nobody can log into; "": they are guests, whoever gives an
// SSH key in his user data can log into them, and deliveries to them are real.
func (l *Lab) WhyNoGuests(ctx context.Context) (string, error) {
	if l.Endpoints[machinesUnit] == "" {
		return "", nil // a stock federation
	}
	why := ""
	err := l.askMachines(ctx, http.MethodGet, "/guests", &why)
	return why, err
}

// CutPower of a machine of the lab's IaaS.
func (l *Lab) CutPower(ctx context.Context, key string) error {
	return l.askMachines(ctx, http.MethodPost, "/machines/"+key+"/cut-power", nil)
}

// Plug the network cable of a machine of the lab's IaaS in or out.
func (l *Lab) Plug(ctx context.Context, key string, in bool) error {
	path := map[bool]string{true: "/plug-in", false: "/plug-out"}
	return l.askMachines(ctx, http.MethodPost, "/machines/"+key+path[in], nil)
}

func (l *Lab) askMachines(ctx context.Context, method, path string, into any) error {
	ca, err := os.ReadFile(filepath.Join(l.Dir, "pki", "ca.crt"))
	if err != nil {
		return fmt.Errorf("reading the lab's authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(ctx, method, l.Endpoints[machinesUnit]+"/lab"+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer lab")
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the lab's IaaS: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the lab's IaaS: it answered %s", response.Status)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the lab's machines: %w", err)
	}
	return nil
}
