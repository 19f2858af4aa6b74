package chart

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// programs have accounts of their own, whose annotations are values.
var programs = []string{"argosy-webhook", "argosy-controller-manager", "argosy-estimator", "argosy-member-manager"}

// common has an annotation of each name that the chart, or a person, puts somewhere itself.
const common = images + `
commonLabels: {team: platform}
commonAnnotations: {cost-centre: "4711", helm.sh/hook: never, argosy.dev/config-hash: none, account: common, pod: common}
`

// TestCommonMetadata: what is common to all reaches every object and pod that a chart renders, and what the chart goes by, or is given for
// one place, stands above it.
func TestCommonMetadata(t *testing.T) {
	t.Parallel()
	for chart, values := range map[string]string{
		"deploy/chart": common + `
webhook: &all
  podAnnotations: {pod: own}
  serviceAccount: {annotations: {account: own}}
controllerManager: *all
estimator: *all
install: {podAnnotations: {pod: own}}
monitoring: {serviceMonitor: {enabled: true}, rules: {enabled: true}, dashboards: {enabled: true}}
`,
		"deploy/member": common + `
podAnnotations: {pod: own}
serviceAccount: {annotations: {account: own}}
install: {podAnnotations: {pod: own}}
monitoring: {serviceMonitor: {enabled: true}}
`,
	} {
		out, err := helmOf(t, chart, "template", values)
		if err != nil {
			t.Fatal(err)
		}
		objects, pods := 0, 0
		each(t, out, func(u *unstructured.Unstructured) {
			objects++
			name := chart + ": " + u.GetKind() + " " + u.GetName()
			if u.GetLabels()["team"] != "platform" || u.GetAnnotations()["cost-centre"] != "4711" {
				t.Errorf("%s has labels %v and annotations %v", name, u.GetLabels(), u.GetAnnotations())
			}
			if hook := u.GetAnnotations()["helm.sh/hook"]; u.GetKind() == "Job" && hook == "never" {
				t.Errorf("%s is no hook any more", name)
			}
			own := u.GetKind() == "ServiceAccount" && slices.Contains(programs, u.GetName())
			if is := u.GetAnnotations()["account"]; own != (is == "own") {
				t.Errorf("%s has annotation account: %s", name, is)
			}
			for _, path := range [][]string{{"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
				template, found, err := unstructured.NestedMap(u.Object, path...)
				if err != nil || !found {
					continue
				}
				pods++
				pod := &unstructured.Unstructured{Object: template}
				have := pod.GetAnnotations()
				if pod.GetLabels()["team"] != "platform" || have["cost-centre"] != "4711" || have["pod"] != "own" {
					t.Errorf("the pods of %s have labels %v and annotations %v", name, pod.GetLabels(), have)
				}
				if u.GetKind() == "Deployment" && len(have["argosy.dev/config-hash"]) != 64 {
					t.Errorf("the pods of %s do not change with their configuration: %v", name, have)
				}
			}
		})
		if objects < 10 || pods < 4 {
			t.Errorf("%s: %d objects and %d pods were looked at", chart, objects, pods)
		}
	}
}

// TestLabelsOfTheChart: a label by which the chart selects its pods, or finds its objects, is nobody else's to set, and one that is given
// twice counts once: that of the one place.
func TestLabelsOfTheChart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		chart, values string
		// refused names the label; empty: pods bear team: place.
		refused string
	}{
		"a selector of everybody": {"deploy/chart", "commonLabels: {app.kubernetes.io/name: shop}\n", "app.kubernetes.io/name"},
		"a selector of a program's pods": {"deploy/chart", "webhook: {podLabels: {app.kubernetes.io/instance: mine}}\n",
			"app.kubernetes.io/instance"},
		"a label of the jobs": {"deploy/chart", "install: {podLabels: {app.kubernetes.io/part-of: shop}}\n",
			"app.kubernetes.io/part-of"},
		"a label of what is scraped": {"deploy/chart", "monitoring: {serviceMonitor: {enabled: true, labels: {helm.sh/chart: a}}}\n",
			"helm.sh/chart"},
		"a selector in a member":           {"deploy/member", "commonLabels: {app.kubernetes.io/name: shop}\n", "app.kubernetes.io/name"},
		"a label of the pods in a member":  {"deploy/member", "podLabels: {app.kubernetes.io/version: v2}\n", "app.kubernetes.io/version"},
		"one that is given twice":          {"deploy/chart", "commonLabels: {team: all}\nwebhook: {podLabels: {team: place}}\n", ""},
		"one that is given twice, members": {"deploy/member", "commonLabels: {team: all}\npodLabels: {team: place}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := helmOf(t, tc.chart, "template", images+tc.values)
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), "label "+tc.refused+" is set by the chart itself") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			placed := 0
			each(t, out, func(u *unstructured.Unstructured) {
				labels, _, err := unstructured.NestedStringMap(u.Object, "spec", "template", "metadata", "labels")
				if err != nil {
					t.Error(err)
				}
				if labels["team"] == "place" {
					placed++
				}
				if u.GetLabels()["team"] != "all" {
					t.Errorf("%s %s has labels %v", u.GetKind(), u.GetName(), u.GetLabels())
				}
			})
			if placed != 1 {
				t.Errorf("the pods of %d Deployments have the label of the place, want those of 1", placed)
			}
		})
	}
}
