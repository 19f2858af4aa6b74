package main

import (
	"fmt"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/migration/iskarmada"
)

// serveIsKarmada adds the server that CI/CD asks to the manager: at an address of its own, so that whoever may ask reaches no admission,
// with the webhook's certificate.
func serveIsKarmada(mgr manager.Manager, cfg *config.Webhook, options webhook.Options, through func(http.Handler) http.Handler) error {
	if cfg.IsKarmadaBindAddress == "0" {
		return nil
	}
	var err error
	if options.Host, options.Port, err = split("isKarmadaBindAddress", cfg.IsKarmadaBindAddress); err != nil {
		return err
	}
	handler, err := iskarmada.Authorized(mgr.GetConfig(), mgr.GetHTTPClient(), mgr.GetLogger().WithName("is-karmada"),
		iskarmada.Handler(mgr.GetAPIReader()))
	if err != nil {
		return err
	}
	server := webhook.NewServer(options)
	server.Register(iskarmada.Path, through(handler))
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("adding %s: %w", iskarmada.Path, err)
	}
	return nil
}
