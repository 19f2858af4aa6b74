package httpdriver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/httpclient"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// Name of the driver in spec.machine.driver.
const Name = "http"

// TokenKey is the key of the bearer token in the Secret that a machine names.
const TokenKey = "token"

// Bounds of an answer: one of more bytes, or that takes longer, is none.
const (
	maxAnswer = 4 << 20
	maxPages  = 1000
)

// Options of the driver.
type Options struct {
	// URL of the system; https.
	URL string
	// CA verifies it, as PEM; empty: the machine's own roots.
	CA []byte
	// Transport is for tests; nil is the usual.
	Transport http.RoundTripper
	// Clock is for tests; nil is the usual.
	Clock clock.PassiveClock
}

// Driver speaks the contract.
type Driver struct {
	base   *url.URL
	client *http.Client
	clock  clock.PassiveClock

	mu sync.Mutex
	// held is until when whom the system asked to wait asks nothing of a kind.
	held map[asker]time.Time
}

// asker is whose requests of one kind a system may have enough of: one without room for another machine answers who looks at those it has.
type asker struct{ token, method string }

// longestHold is how long a system can have us wait: what it says is another's word.
const longestHold = 5 * time.Minute

var (
	_ machine.Driver = &Driver{}
	_ machine.Lister = &Driver{}
)

// New driver.
func New(o Options) (*Driver, error) {
	base, client, err := httpclient.New(o.URL, o.CA)
	if err != nil {
		return nil, err
	}
	if o.Transport != nil {
		client.Transport = o.Transport
	}
	out := &Driver{base: base, client: client, clock: o.Clock, held: map[asker]time.Time{}}
	if out.clock == nil {
		out.clock = clock.RealClock{}
	}
	return out, nil
}

// Ensure there is one machine of that key.
func (d *Driver) Ensure(ctx context.Context, call machine.Call, spec machine.Spec) (machine.Machine, error) {
	body := Spec{
		Owner: spec.Owner, Name: spec.Name, Class: spec.Class, Image: spec.Image, Zone: spec.Zone, Network: spec.Network, UserData: spec.UserData,
		Resources: map[string]string{}, Params: map[string]string{},
	}
	for name, quantity := range spec.Resources {
		body.Resources[string(name)] = quantity.String()
	}
	for name, value := range spec.Params {
		body.Params[name] = string(value)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return machine.Machine{}, fmt.Errorf("writing the machine: %w", err)
	}
	var out Machine
	if err := d.ask(ctx, http.MethodPut, "/v1/machines/"+url.PathEscape(call.Key), call, raw, &out); err != nil {
		return machine.Machine{}, fmt.Errorf("making machine %s: %w", call.Key, err)
	}
	if err := ownedBy(spec.Owner, out); err != nil {
		return machine.Machine{}, fmt.Errorf("making machine %s: %w", call.Key, err)
	}
	return read(call.Key, out)
}

// Get what there is.
func (d *Driver) Get(ctx context.Context, call machine.Call) (machine.Machine, error) {
	var out Machine
	if err := d.ask(ctx, http.MethodGet, "/v1/machines/"+url.PathEscape(call.Key), call, nil, &out); err != nil {
		return machine.Machine{}, fmt.Errorf("looking at machine %s: %w", call.Key, err)
	}
	return read(call.Key, out)
}

// Stop it from running.
func (d *Driver) Stop(ctx context.Context, call machine.Call) error {
	if err := d.ask(ctx, http.MethodPost, "/v1/machines/"+url.PathEscape(call.Key)+"/stop", call, nil, nil); err != nil {
		return fmt.Errorf("stopping machine %s: %w", call.Key, err)
	}
	return nil
}

// Delete it.
func (d *Driver) Delete(ctx context.Context, call machine.Call) error {
	if err := d.ask(ctx, http.MethodDelete, "/v1/machines/"+url.PathEscape(call.Key), call, nil, nil); err != nil {
		return fmt.Errorf("removing machine %s: %w", call.Key, err)
	}
	return nil
}

// List the machines of an owner.
func (d *Driver) List(ctx context.Context, call machine.Call, owner string) ([]machine.Machine, error) {
	var out []machine.Machine
	query := url.Values{"owner": {owner}}
	for range maxPages {
		page := Page{}
		if err := d.ask(ctx, http.MethodGet, "/v1/machines?"+query.Encode(), call, nil, &page); err != nil {
			return nil, fmt.Errorf("listing machines: %w", err)
		}
		if page.Machines == nil {
			return nil, errors.New("listing machines: the answer has no list")
		}
		for _, m := range page.Machines {
			one, err := read(m.Key, m)
			if err = errors.Join(err, ownedBy(owner, m)); err != nil {
				return nil, fmt.Errorf("listing machines: %w", err)
			}
			out = append(out, one)
		}
		switch page.Next {
		case "":
			return out, nil
		case query.Get("cursor"):
			return nil, fmt.Errorf("listing machines: the page after %.63s is itself", page.Next)
		}
		query.Set("cursor", page.Next)
	}
	return nil, fmt.Errorf("listing machines: more than %d pages", maxPages)
}

// ownedBy refuses another owner's machine: a system that does not look at whose it was asked for knows nothing of whose are there. One that
// does not say whose a machine is answers for whom it was asked.
func ownedBy(owner string, m Machine) error {
	if m.Owner == "" || m.Owner == owner {
		return nil
	}
	return fmt.Errorf("machine %.63s is %.63s's, and %s's were asked for", m.ID, m.Owner, owner)
}

// ask and read the answer into into; nil for none.
func (d *Driver) ask(ctx context.Context, method, path string, call machine.Call, body []byte, into any) error {
	who := asker{token: strings.TrimSpace(string(call.Credentials[TokenKey])), method: method}
	if wait := d.waits(who); wait > 0 {
		return fmt.Errorf("the system asked not to be asked for another %s: %w", wait.Round(time.Second), machine.ErrQuota)
	}
	request, err := http.NewRequestWithContext(ctx, method, d.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if call.Sequence > 0 {
		request.Header.Set(SequenceHeader, strconv.FormatInt(call.Sequence, 10))
	}
	if who.token != "" {
		request.Header.Set("Authorization", "Bearer "+who.token)
	}
	response, err := d.client.Do(request)
	if err != nil {
		return fmt.Errorf("the system did not answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusTooManyRequests {
		d.hold(who, response.Header.Get("Retry-After"))
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("the system's answer broke off: %w", err)
	}
	switch {
	case len(text) > maxAnswer:
		return fmt.Errorf("the system's answer is longer than %d bytes", maxAnswer)
	case response.StatusCode >= 300:
		return refusal(method, call.Key, response.StatusCode, text)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the system's answer %d is no JSON of the contract: %w", response.StatusCode, err)
	}
	return nil
}

// waits is for how long whom the system asked to wait does.
func (d *Driver) waits(who asker) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait := d.held[who].Sub(d.clock.Now())
	if wait <= 0 {
		delete(d.held, who)
	}
	return wait
}

// hold what a system has enough of, for as long as it says: seconds, or a date by its own clock.
func (d *Driver) hold(who asker, retryAfter string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Now()
	until, err := http.ParseTime(retryAfter)
	if seconds, notSeconds := strconv.ParseInt(retryAfter, 10, 32); notSeconds == nil {
		until, err = now.Add(time.Duration(seconds)*time.Second), nil
	}
	if latest := now.Add(longestHold); until.After(latest) {
		until = latest
	}
	if err == nil && until.After(now) {
		d.held[who] = until
	}
}

// refusal in terms of what it lets us know.
func refusal(method, key string, status int, answer []byte) error {
	problem := Problem{}
	if err := json.Unmarshal(answer, &problem); err != nil {
		problem = Problem{} // a proxy's page, say
	}
	said := fmt.Sprintf("the system answered %d", status)
	if message := text.Cut(problem.Message, 512); message != "" {
		said += ": " + message
	}
	switch {
	case status == http.StatusNotFound && problem.Code == NotFound && problem.Key == key,
		status == http.StatusGone && method == http.MethodPut && problem.Code == NotFound && problem.Key == key:
		return fmt.Errorf("%s: %w", said, machine.ErrGone)
	case status == http.StatusConflict && problem.Code == Fenced:
		return fmt.Errorf("%s: %w", said, machine.ErrFenced)
	case status == http.StatusUnprocessableEntity && problem.Code == Invalid:
		return fmt.Errorf("%s: %w", said, machine.ErrInvalid)
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("%s: %w", said, machine.ErrQuota)
	}
	return errors.New(said)
}

// read an answer: one of another's machine is none, and so is one that leads back to the manager itself.
func read(key string, m Machine) (machine.Machine, error) {
	if m.Key != key || key == "" || m.ID == "" {
		return machine.Machine{}, fmt.Errorf("the system answered with machine %q of key %q, asked about key %q", m.ID, m.Key, key)
	}
	for _, address := range m.Addresses {
		if ip := net.ParseIP(address.Address); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) || address.Address == "localhost" {
			return machine.Machine{}, fmt.Errorf("the system says that machine %s is at %s, which is no address of a machine", m.ID, address.Address)
		}
	}
	out := machine.Machine{
		Key: key, ID: m.ID, BootID: m.BootID, State: v1alpha1.MachineUnknown,
		Addresses: slices.Clip(m.Addresses[:min(len(m.Addresses), 16)]), HostKeys: slices.Clip(m.HostKeys[:min(len(m.HostKeys), 8)]),
	}
	switch m.State {
	case Creating:
		out.State = v1alpha1.MachineCreating
	case Running:
		out.State = v1alpha1.MachineRunning
	case Stopped, Failed, Deleting:
		out.State = v1alpha1.MachineStopped
	}
	return out, nil
}
