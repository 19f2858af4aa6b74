package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/conversion"

	"github.com/argosy-dev/argosy/api/component/v1beta1"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/member/component"
	"github.com/argosy-dev/argosy/member/vm"
)

// serves says whether this process answers admission.
func serves(cfg config.MemberWebhook) bool { return cfg.BindAddress != "0" }

// webhookServer of the admission; every replica serves it, whoever leads. The certificate is read anew when its files change.
func webhookServer(cfg config.MemberWebhook) (webhook.Server, error) {
	host, portText, err := net.SplitHostPort(cfg.BindAddress)
	if err != nil {
		return nil, fmt.Errorf("webhook.bindAddress: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("webhook.bindAddress: %w", err)
	}
	return webhook.NewServer(webhook.Options{
		Host: host, Port: port, CertDir: cfg.CertDir,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.NextProtos, c.MinVersion = []string{"http/1.1"}, tls.VersionTLS12 }},
	}), nil
}

// addAdmission of what people decide, warnings of what goes with a template, and the conversion of Components, which the API server asks
// for where the member serves two versions.
func addAdmission(mgr manager.Manager, namespace string) error {
	server := mgr.GetWebhookServer()
	for path, handler := range vm.MemberHandlers(clock.RealClock{}) {
		server.Register(path, handler)
	}
	for path, handler := range component.MemberHandlers(mgr.GetClient(), namespace) {
		server.Register(path, handler)
	}
	server.Register(v1beta1.ConvertPath, conversion.NewWebhookHandler(mgr.GetScheme(), mgr.GetConverterRegistry()))
	if err := mgr.AddReadyzCheck("webhook", server.StartedChecker()); err != nil {
		return fmt.Errorf("adding readiness check: %w", err)
	}
	return nil
}
