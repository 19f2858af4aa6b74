package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/migration/plan"
)

// allowance is how many pods of a workload may be missing.
func allowance(value *intstr.IntOrString) func(replicas int32) int32 {
	return func(replicas int32) int32 {
		if value == nil {
			return 0
		}
		allowed, err := intstr.GetScaledValueFromIntOrPercent(value, int(replicas), false)
		if err != nil || allowed < 0 {
			return 0 // the schema refuses such; a doubt allows nothing
		}
		return int32(min(allowed, int(replicas)))
	}
}

// gate asks Prometheus, when the whitelist names one, and gives its answer to every cluster of the application:
// what is not well is not opened either. A Prometheus that does not answer counts as not well.
func (c *Controller) gate(ctx context.Context, world *plan.World) {
	prometheus := world.Strategy.Prometheus
	if prometheus == nil {
		return
	}
	query := strings.NewReplacer("$namespace", world.Namespace, "$kind", world.Spec.Kind, "$name", world.Spec.Name).Replace(prometheus.Query)
	unwell, err := ask(ctx, c.HTTP, prometheus.Address, query)
	if err != nil {
		unwell = fmt.Sprintf("Prometheus did not answer: %v", err)
	}
	for _, status := range world.Status.Clusters {
		if cluster, ok := world.Clusters[status.Name]; ok {
			cluster.Unwell = unwell
			world.Clusters[status.Name] = cluster
		}
	}
}

// maxAnswer of Prometheus that is read; a gate's query returns a handful of samples.
const maxAnswer = 1 << 20

// ask a query of Prometheus's HTTP API; the answer is empty when there is a sample and none is other than zero. No sample is no good news:
// the application may not be scraped, the query may name a metric nobody has, or compare without bool.
func ask(ctx context.Context, client *http.Client, address, query string) (string, error) {
	target := strings.TrimRight(address, "/") + "/api/v1/query?query=" + url.QueryEscape(query)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", fmt.Errorf("building the query: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			ResultType string          `json:"resultType"`
			Result     json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer); err != nil {
		return "", fmt.Errorf("decoding the answer (HTTP %d): %w", response.StatusCode, err)
	}
	if answer.Status != "success" {
		return "", fmt.Errorf("HTTP %d: %s", response.StatusCode, answer.Error)
	}
	samples, err := values(answer.Data.ResultType, answer.Data.Result)
	if err != nil {
		return "", err
	}
	if len(samples) == 0 {
		return fmt.Sprintf(
			"Prometheus has no sample for %q: it must answer 0 when all is well, so compare with 'bool' ('... > bool 0') and ask for a metric the "+
				"application always has", query), nil
	}
	for _, sample := range samples {
		if value, err := strconv.ParseFloat(sample, 64); err != nil || value != 0 {
			return fmt.Sprintf("Prometheus says %s for %q", sample, query), nil
		}
	}
	return "", nil
}

// values of an instant query: a vector's samples, or a scalar's.
func values(kind string, raw json.RawMessage) ([]string, error) {
	sample := func(pair []json.RawMessage) (string, error) {
		if len(pair) != 2 {
			return "", fmt.Errorf("a sample has %d parts, want time and value", len(pair))
		}
		var value string
		if err := json.Unmarshal(pair[1], &value); err != nil {
			return "", fmt.Errorf("decoding a sample: %w", err)
		}
		return value, nil
	}
	switch kind {
	case "scalar":
		var pair []json.RawMessage
		if err := json.Unmarshal(raw, &pair); err != nil {
			return nil, fmt.Errorf("decoding a scalar: %w", err)
		}
		value, err := sample(pair)
		return []string{value}, err
	case "vector":
		var series []struct {
			Value []json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(raw, &series); err != nil {
			return nil, fmt.Errorf("decoding a vector: %w", err)
		}
		var out []string
		for i := range series {
			value, err := sample(series[i].Value)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
		}
		return out, nil
	}
	return nil, fmt.Errorf("the query gives a %s; a gate needs an instant vector or a scalar", kind)
}
