package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ReadyPods counts the Ready pods of a namespace, member by member.
func (s *Stage) ReadyPods(ctx context.Context, namespace string) (map[string]int, error) {
	out := map[string]int{}
	for name, member := range s.Members {
		var pods corev1.PodList
		if err := member.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", name, err)
		}
		for _, pod := range pods.Items {
			if isReady(pod) {
				out[name]++
			}
		}
	}
	return out, nil
}

func isReady(pod corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// CloneSets reads one CloneSet from every member that has it.
func (s *Stage) CloneSets(ctx context.Context, namespace, name string) (map[string]*kruisev1alpha1.CloneSet, error) {
	out := map[string]*kruisev1alpha1.CloneSet{}
	for plane, member := range s.Members {
		cs := &kruisev1alpha1.CloneSet{}
		err := member.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, cs)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading CloneSet %s/%s of %s: %w", namespace, name, plane, err)
		}
		if err == nil {
			out[plane] = cs
		}
	}
	return out, nil
}

// Health is what the ResourceBinding says of each member, such as "Healthy Healthy Healthy".
func (s *Stage) Health(ctx context.Context, namespace, binding string) (string, error) {
	var rb workv1alpha2.ResourceBinding
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: namespace, Name: binding}, &rb); err != nil {
		return "", fmt.Errorf("reading ResourceBinding %s/%s: %w", namespace, binding, err)
	}
	var out []string
	for _, item := range rb.Status.AggregatedStatus {
		out = append(out, string(item.Health))
	}
	slices.Sort(out)
	return strings.Join(out, " "), nil
}

// Shares prints numbers of members in descending order, "4+3+3": which of equals gets the odd one
// is Karmada's choice.
func Shares(numbers map[string]int) string {
	var list []int
	for _, n := range numbers {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b int) int { return b - a })
	var out []string
	for _, n := range list {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, "+")
}

// Metric reads a counter or gauge from one of Argosy's parts and sums the series by one label.
func (s *Stage) Metric(ctx context.Context, part, name, label string, match map[string]string) (map[string]float64, error) {
	url, ok := s.Lab.Endpoints[part+" metrics"]
	if !ok {
		return nil, fmt.Errorf("the lab runs no %s", part)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of %s: %w", part, err)
	}
	defer resp.Body.Close()
	return sumSeries(resp.Body, name, label, match)
}

func sumSeries(body io.Reader, name, label string, match map[string]string) (map[string]float64, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	out := map[string]float64{}
	for _, m := range families[name].GetMetric() {
		labels := map[string]string{}
		for _, pair := range m.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		matches := true
		for k, v := range match {
			matches = matches && labels[k] == v
		}
		if matches {
			out[labels[label]] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out, nil
}
