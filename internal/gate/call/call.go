package call

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

const (
	// maxAnswer that is read, in bytes.
	maxAnswer = 64 << 10
	// maxReason that is kept of an answer's, in bytes.
	maxReason = 512
)

// Keys of the Secrets that say how somebody is reached.
const (
	URLKey   = "url"
	TokenKey = "token"
	CAKey    = "ca.crt"
)

// Waiting is the JSON that is posted: what waits at which gate.
type Waiting struct {
	Gate        string             `json:"gate"`
	Stage       v1alpha1.GateStage `json:"stage"`
	OperationID string             `json:"operationID"`
	Namespace   string             `json:"namespace"`
	// Set is the VMReplicaSet's name, and Server the one that the operation is about.
	Set     string       `json:"set"`
	Server  string       `json:"server,omitempty"`
	Summary string       `json:"summary"`
	Since   *metav1.Time `json:"since,omitempty"`
}

// Decision of a webhook.
type Decision string

// The decisions.
const (
	// Approve opens the gate for the operation.
	Approve Decision = "Approve"
	// Reject gives the operation up.
	Reject Decision = "Reject"
	// Wait leaves the gate shut: it is asked again.
	Wait Decision = "Wait"
)

// Answer is the JSON that a webhook answers with.
type Answer struct {
	// OperationID is the question's: an answer to another opens nothing.
	OperationID string   `json:"operationID"`
	Decision    Decision `json:"decision"`
	// Reason for people; a rejection needs one.
	Reason string `json:"reason"`
}

// Receiver is who is called.
type Receiver struct {
	URL string
	// Token is sent as a bearer's; empty: none is.
	Token string
	// CA in PEM verifies the certificate; empty: the system's authorities do.
	CA []byte
}

// Allowed says whether a URL may be called: https, and below one of the prefixes of the configuration, by host and whole segments of the
// path. An object of a namespace must not make the manager ask whatever it can reach.
func Allowed(address string, prefixes []string) error {
	asked, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("reading the URL: %w", err)
	}
	if asked.Scheme != "https" || asked.Host == "" || asked.User != nil {
		return errors.New("the URL must be https://host[:port][/path], without a user")
	}
	if asked.Path != "" && asked.JoinPath().Path != asked.Path || strings.Contains(asked.EscapedPath(), "%") {
		return errors.New("the URL's path must be plain: without .., // and escapes")
	}
	for _, prefix := range prefixes {
		below, err := url.Parse(prefix)
		if err != nil || below.Scheme != asked.Scheme || !strings.EqualFold(below.Host, asked.Host) {
			continue
		}
		folder := strings.TrimSuffix(below.Path, "/")
		if asked.Path == folder || strings.HasPrefix(asked.Path, folder+"/") {
			return nil
		}
	}
	return fmt.Errorf("host %s is not among gates.allowedURLs of argosy-member-manager's configuration", asked.Host)
}

// Ask a webhook. An error is no answer.
func Ask(ctx context.Context, to Receiver, question Waiting) (Answer, error) {
	status, kind, body, err := post(ctx, to, question)
	if err != nil {
		return Answer{}, err
	}
	if status != http.StatusOK {
		return Answer{}, fmt.Errorf("it answered %d, want 200", status)
	}
	if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
		return Answer{}, fmt.Errorf("it answered with Content-Type %q, want application/json", kind)
	}
	var out Answer
	if err := json.Unmarshal(body, &out); err != nil {
		return Answer{}, fmt.Errorf("reading its answer: %w", err)
	}
	switch {
	case out.OperationID != question.OperationID:
		return Answer{}, fmt.Errorf("it answered about operation %.63q, and was asked about %s", out.OperationID, question.OperationID)
	case out.Decision != Approve && out.Decision != Reject && out.Decision != Wait:
		return Answer{}, fmt.Errorf("it decided %.63q, want Approve, Reject or Wait", out.Decision)
	case out.Decision == Reject && strings.TrimSpace(out.Reason) == "":
		return Answer{}, errors.New("it rejects without a reason")
	}
	out.Reason = text.Cut(out.Reason, maxReason)
	return out, nil
}

// Tell somebody what waits. They took it when they answer 2xx.
func Tell(ctx context.Context, to Receiver, what Waiting) error {
	status, _, _, err := post(ctx, to, what)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("it answered %d, want 2xx", status)
	}
	return nil
}

func post(ctx context.Context, to Receiver, what Waiting) (status int, kind string, body []byte, err error) {
	text, err := json.Marshal(what)
	if err != nil {
		return 0, "", nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(text))
	if err != nil {
		return 0, "", nil, fmt.Errorf("reading the URL: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", what.OperationID)
	if to.Token != "" {
		request.Header.Set("Authorization", "Bearer "+to.Token)
	}
	client, err := clientOf(to)
	if err != nil {
		return 0, "", nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, "", nil, fmt.Errorf("reading its answer: %w", err)
	case len(body) > maxAnswer:
		return 0, "", nil, fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	case !utf8.Valid(body):
		return 0, "", nil, errors.New("its answer is no text")
	}
	return response.StatusCode, response.Header.Get("Content-Type"), body, nil
}

func clientOf(to Receiver) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(to.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(to.CA) {
			return nil, errors.New("reading the authority (ca.crt): it holds no certificate")
		}
	}
	return &http.Client{
		// Calls are few: no connection is kept for the next.
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true},
		// What is sent is for this address, and for none that it points at.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
