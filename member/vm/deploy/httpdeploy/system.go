package httpdeploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/httpclient"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/member/vm/deploy"
)

// Bounds of an answer: one of more bytes, or that takes longer, is none.
const (
	maxAnswer = 1 << 20
)

// Options of the system.
type Options struct {
	// URL of the deploy system; https.
	URL string
	// CA verifies it, as PEM; empty: the machine's own roots.
	CA []byte
	// TokenFile holds the bearer token, and is read for each request; empty: none is sent.
	TokenFile string
}

// System speaks the contract.
type System struct {
	base      *url.URL
	client    *http.Client
	tokenFile string
}

var _ deploy.System = &System{}

// New system.
func New(o Options) (*System, error) {
	base, client, err := httpclient.New(o.URL, o.CA)
	if err != nil {
		return nil, err
	}
	return &System{base: base, client: client, tokenFile: o.TokenFile}, nil
}

// Check leaves it to the system.
func (*System) Check(v1alpha1.Release) error { return nil }

// Start the job.
func (s *System) Start(ctx context.Context, job deploy.Job) error {
	body := Deployment{
		Server: job.Server, Machine: job.Machine, Addresses: job.Addresses, Sequence: job.Sequence,
		Version: job.Release.Version, Artifact: job.Release.Artifact, Checksum: job.Release.Checksum, Params: map[string]string{},
	}
	for key, value := range job.Release.Params {
		body.Params[key] = string(value)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("writing deployment %s: %w", job.ID, err)
	}
	if _, err := s.ask(ctx, http.MethodPost, job.ID, text); err != nil {
		return fmt.Errorf("starting deployment %s: %w", job.ID, err)
	}
	return nil
}

// Observe how far it is.
func (s *System) Observe(ctx context.Context, job deploy.Job) (deploy.Progress, error) {
	status, err := s.ask(ctx, http.MethodGet, job.ID, nil)
	switch {
	case errors.Is(err, errAbsent):
		return deploy.Progress{State: deploy.Absent}, nil
	case err != nil:
		return deploy.Progress{}, fmt.Errorf("looking at deployment %s: %w", job.ID, err)
	}
	message := cut(status.Message)
	switch status.State {
	case Running:
		return deploy.Progress{State: deploy.Running, Message: message}, nil
	case Succeeded:
		return deploy.Progress{State: deploy.Succeeded, Message: message}, nil
	case Failed:
		return deploy.Progress{State: deploy.Failed, Message: "the deploy system says: " + message}, nil
	}
	return deploy.Progress{}, fmt.Errorf("looking at deployment %s: the deploy system answered with state %q", job.ID,
		cut(string(status.State)))
}

var errAbsent = errors.New("there is no such deployment")

func cut(words string) string { return text.Cut(words, 512) }

func (s *System) ask(ctx context.Context, method, id string, body []byte) (Status, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base.String()+"/v1/deployments/"+url.PathEscape(id), bytes.NewReader(body))
	if err != nil {
		return Status{}, err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if s.tokenFile != "" {
		token, err := os.ReadFile(s.tokenFile)
		if err != nil {
			return Status{}, fmt.Errorf("reading the token: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := s.client.Do(request)
	if err != nil {
		return Status{}, fmt.Errorf("the deploy system did not answer: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Status{}, fmt.Errorf("the deploy system's answer broke off: %w", err)
	case len(text) > maxAnswer:
		return Status{}, fmt.Errorf("the deploy system's answer is longer than %d bytes", maxAnswer)
	case response.StatusCode >= 300:
		return Status{}, refusal(id, response.StatusCode, text)
	}
	var out Status
	if err := json.Unmarshal(text, &out); err != nil {
		return Status{}, fmt.Errorf("the deploy system's answer %d is no JSON of the contract: %w", response.StatusCode, err)
	}
	if out.ID != id {
		return Status{}, fmt.Errorf("the deploy system spoke of deployment %q", cut(out.ID))
	}
	return out, nil
}

// refusal in terms of what it lets us know: a proxy's "not found" is none of the system's.
func refusal(id string, status int, text []byte) error {
	problem := Problem{}
	if err := json.Unmarshal(text, &problem); err != nil {
		problem = Problem{}
	}
	said := fmt.Sprintf("the deploy system answered %d", status)
	if message := cut(problem.Message); message != "" {
		said += ": " + message
	}
	switch {
	case status == http.StatusNotFound && problem.Code == NotFound && problem.ID == id:
		return fmt.Errorf("%s: %w", said, errAbsent)
	case status == http.StatusConflict && problem.Code == Fenced:
		return fmt.Errorf("%s: %w", said, deploy.ErrFenced)
	case status == http.StatusUnprocessableEntity && problem.Code == Invalid:
		return fmt.Errorf("%s: %w", said, deploy.ErrInvalid)
	}
	return errors.New(said)
}
