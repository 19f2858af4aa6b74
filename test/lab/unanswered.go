package lab

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
)

// tellUnanswered prints how often an API server asked a webhook of ours in vain, whoever's request it was. Where the webhook's
// failurePolicy is Ignore, nobody else hears of it. Webhooks that a test stopped on purpose are left out.
func tellUnanswered(plane string, config *rest.Config, stopped ...string) {
	if config == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	times, err := AskedInVain(ctx, config)
	if err != nil {
		fmt.Fprintf(os.Stderr, "asking %s which webhooks failed: %v\n", plane, err)
		return
	}
	told := without(times, stopped...)
	if told == "" {
		return
	}
	told = fmt.Sprintf("%s: %s asked in vain: %s\n", filepath.Base(os.Args[0]), plane, told)
	fmt.Fprint(os.Stderr, told)
	if err := keep(told, retriesFile()); err != nil {
		fmt.Fprintln(os.Stderr, "keeping which webhooks failed:", err)
	}
}

// AskedInVain reads how often an API server asked each webhook of ours in vain since it started, by the webhook's name. Where that is more
// after a request than before and the webhook's failurePolicy is Ignore, the request may have passed unseen.
func AskedInVain(ctx context.Context, config *rest.Config) (map[string]float64, error) {
	text, err := metricsOf(ctx, config)
	if err != nil {
		return nil, err
	}
	return unanswered(text)
}

func metricsOf(ctx context.Context, config *rest.Config) (string, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("/metrics answers %s", response.Status)
	}
	return string(text), err
}

// unanswered reads an API server's own counts: requests that passed though a webhook failed, and such as were refused since it failed.
func unanswered(text string) (map[string]float64, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	times := map[string]float64{}
	for _, name := range []string{"apiserver_admission_webhook_fail_open_count", "apiserver_admission_webhook_rejection_count"} {
		for _, metric := range families[name].GetMetric() {
			webhook, fault := label(metric, "name"), label(metric, "error_type")
			if strings.HasSuffix(webhook, ".argosy.dev") && fault != "no_error" {
				times[webhook] += metric.GetCounter().GetValue()
			}
		}
	}
	return times, nil
}

// without says the times in words, those of webhooks left out that a test stopped on purpose.
func without(times map[string]float64, stopped ...string) string {
	var told []string
	for _, webhook := range slices.Sorted(maps.Keys(times)) {
		if !slices.Contains(stopped, webhook) {
			told = append(told, fmt.Sprintf("%s %.0f times", webhook, times[webhook]))
		}
	}
	return strings.Join(told, ", ")
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
