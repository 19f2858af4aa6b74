package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
)

func newManager(restConfig *rest.Config, cfg *config.Webhook, pprof string, staying healthz.Checker) (manager.Manager, error) {
	scheme, err := program.Scheme()
	if err != nil {
		return nil, err
	}
	host, portText, err := net.SplitHostPort(cfg.BindAddress)
	if err != nil {
		return nil, fmt.Errorf("bindAddress: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("bindAddress: %w", err)
	}
	restConfig.QPS, restConfig.Burst = cfg.Client.QPS, cfg.Client.Burst
	shutdown := time.Duration(cfg.ShutdownSeconds) * time.Second
	server := webhook.NewServer(webhook.Options{
		Host: host, Port: port, CertDir: cfg.CertDir,
		// Karmada and karmada-apiserver speak HTTP/1.1 to webhooks; one connection then carries one request at a time,
		// which is also the shorter way on both sides.
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.NextProtos, c.MinVersion = []string{"http/1.1"}, tls.VersionTLS12 }},
	})
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                  scheme,
		Metrics:                 metricsserver.Options{BindAddress: cfg.MetricsBindAddress},
		HealthProbeBindAddress:  cfg.HealthBindAddress,
		PprofBindAddress:        pprof,
		WebhookServer:           server,
		GracefulShutdownTimeout: &shutdown,
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding health check: %w", err)
	}
	// Ready as soon as it answers over TLS. An unreachable karmada-apiserver does not matter to that: the rules need none,
	// and an exact division falls back to the careful one.
	if err := mgr.AddReadyzCheck("webhook", server.StartedChecker()); err != nil {
		return nil, fmt.Errorf("adding readiness check: %w", err)
	}
	if err := mgr.AddReadyzCheck("staying", staying); err != nil {
		return nil, fmt.Errorf("adding readiness check: %w", err)
	}
	return mgr, nil
}
