package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/argosy-dev/argosy/estimator/fleet"
	"github.com/argosy-dev/argosy/estimator/plugins"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/drain"
)

const schedulerHead = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scheduler.yaml")
	write(t, path, []byte(text))
	return path
}

// A wrong scheduler configuration says which file it is and what to do. The common one stops the process at its start; one member's leaves
// that member out.
func TestWrongSchedulerConfiguration(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"an unknown plugin": {
			schedulerHead + "profiles: [{plugins: {filter: {enabled: [{name: Wishful}]}}}]\n", []string{
				`plugin "Wishful" is not compiled into this estimator`, "registry",
			},
		},
		"unknown, at any point": {
			schedulerHead + "profiles: [{plugins: {multiPoint: {enabled: [{name: Wishful}]}}}]\n", []string{`plugin "Wishful"`},
		},
		"unknown, in one profile": {
			schedulerHead + "profiles: [{schedulerName: a}, {schedulerName: b, plugins: {score: {enabled: [{name: Wishful}]}}}]\n",
			[]string{`profile "b"`, `plugin "Wishful"`},
		},
		"a field that is none": {schedulerHead + "profils: []\n", []string{"profils"}},
		"another kind":         {"apiVersion: v1\nkind: Pod\n", []string{"Pod"}},
		"arguments of no sense": {
			schedulerHead + "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Never}}}]}]\n",
			[]string{"scoringStrategy"},
		},
		"no text at all": {"", []string{"decoding"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, tc.text)
			_, common := mirrorConfigs(&config.Estimator{SchedulerConfiguration: path}, plugins.Registry())
			configure, err := mirrorConfigs(&config.Estimator{Members: []config.EstimatorMember{{Name: "m1", SchedulerConfiguration: path}}},
				plugins.Registry())
			if err != nil {
				t.Fatalf("one member's file stops all: %v", err)
			}
			if _, err := configure("m2"); err != nil {
				t.Errorf("its neighbour: %v", err)
			}
			_, own := configure("m1")
			for where, err := range map[string]error{"common": common, "its own": own} {
				if err == nil {
					t.Fatalf("%s: accepted", where)
				}
				for _, want := range append(tc.want, path) {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: error %q lacks %q", where, err, want)
					}
				}
			}
		})
	}
	if _, err := mirrorConfigs(&config.Estimator{SchedulerConfiguration: filepath.Join(t.TempDir(), "none")},
		plugins.Registry()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Each member has the configuration its line names, the others the common one; the example plugin is compiled in.
func TestEachMemberHasItsOwnSchedulerConfiguration(t *testing.T) {
	common, racks := file(t, schedulerHead+"profiles: [{schedulerName: common}]\n"), file(t, schedulerHead+
		"profiles: [{schedulerName: racks, plugins: {multiPoint: {enabled: [{name: RackQuota}]}}, pluginConfig: [{name: RackQuota, args: "+
		"{most: 3}}]}]\n")
	configure, err := mirrorConfigs(&config.Estimator{
		SchedulerConfiguration: common, Members: []config.EstimatorMember{{Name: "m2", SchedulerConfiguration: racks}},
	},
		plugins.Registry())
	if err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]string{"m1": "common", "m2": "racks"} {
		got, err := configure(member)
		if err != nil || got.Configuration.Profiles[0].SchedulerName != want {
			t.Errorf("%s: %v, %v, want %s", member, got.Configuration, err, want)
		}
	}
}

// Profiles are served where the flag says, and nowhere without it.
func TestProfilesOnDemand(t *testing.T) {
	for arg, want := range map[string]string{"": "", "--pprof-bind-address=:6060": "127.0.0.1:6060"} {
		flags := flag.NewFlagSet("argosy-estimator", flag.ContinueOnError)
		p := &process{options: addFlags(flags), metrics: prometheus.NewRegistry(), watcher: &fleet.Watcher{}, ending: &drain.Drain{}}
		if err := flags.Parse(strings.Fields(arg)); err != nil {
			t.Fatal(err)
		}
		served := ""
		pages, err := p.pages(logr.Discard())
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			answer := httptest.NewRecorder()
			page.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/debug/pprof/cmdline", nil))
			if answer.Code == http.StatusOK {
				served = page.address
			}
		}
		if served != want {
			t.Errorf("%q: profiles at %q, want %q", arg, served, want)
		}
	}
}

// Metrics that are served securely are served over TLS, behind the question who asks; readiness is asked by kubelets and stays as it was.
func TestSecureMetrics(t *testing.T) {
	flags := flag.NewFlagSet("argosy-estimator", flag.ContinueOnError)
	p := &process{options: addFlags(flags), metrics: prometheus.NewRegistry(), watcher: &fleet.Watcher{}, ending: &drain.Drain{}}
	p.options.metricsAddress = ":8080"
	p.guarded = func(_ logr.Logger, handler http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, request *http.Request) {
			if request.Header.Get("Authorization") == "" {
				http.Error(out, "who asks?", http.StatusUnauthorized)
				return
			}
			handler.ServeHTTP(out, request)
		})
	}
	pages, err := p.pages(logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if pages[0].address != ":8080" || pages[0].tls == nil || pages[1].tls != nil {
		t.Fatalf("pages %+v", pages)
	}
	server := httptest.NewUnstartedServer(pages[0].handler)
	server.TLS = pages[0].tls
	server.StartTLS()
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for authorization, want := range map[string]int{"": http.StatusUnauthorized, "Bearer scraper": http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%q: HTTP %d, want %d", authorization, answer.StatusCode, want)
		}
	}
}
