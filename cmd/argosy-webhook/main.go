// argosy-webhook is what Karmada and karmada-apiserver call over HTTPS: the resource interpreter of our workloads, and
// the admission of Argosy's kinds. handlers.go is the list of what is served where.
//
// It holds no state and elects no leader: run two or more behind one Service.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/drain"
	"github.com/argosy-dev/argosy/internal/program"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "argosy-webhook:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	// A request is garbage once it is answered, and little else lives here: collect less often, answer sooner.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	begun, err := program.Begin(program.Program{
		Name: "argosy-webhook", Cluster: "karmada-apiserver", Logs: "0 logs refusals and warnings, 1 also what was left alone and why",
	}, args)
	if err != nil {
		return err
	}
	cfg, err := config.LoadWebhook(begun.Config)
	if err != nil {
		return err
	}
	rest, err := begun.Reach()
	if err != nil {
		return err
	}
	ending := &drain.Drain{Clock: clock.RealClock{}, Period: time.Duration(cfg.DrainSeconds) * time.Second}
	mgr, err := newManager(rest, cfg, begun.Profiles, ending)
	if err != nil {
		return err
	}
	for _, h := range handlers() {
		served, err := h.setup(mgr)
		if err != nil {
			return fmt.Errorf("setting up %s: %w", h.path, err)
		}
		mgr.GetWebhookServer().Register(h.path, ending.Handler(served))
	}
	return mgr.Start(ending.Until(ctrl.SetupSignalHandler()))
}
