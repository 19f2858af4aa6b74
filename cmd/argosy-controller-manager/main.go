// argosy-controller-manager runs Argosy's controllers against karmada-apiserver. controllers.go is the list of them.
package main

import (
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
)

const cluster = "karmada-apiserver"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "argosy-controller-manager:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	begun, err := program.Begin(program.Program{
		Name: "argosy-controller-manager", Cluster: cluster, Logs: "0 logs what was changed, 1 also what was left alone and why",
	}, args)
	if err != nil {
		return err
	}
	cfg, err := config.LoadControllerManager(begun.Config)
	if err != nil {
		return err
	}
	rest, err := begun.Reach()
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	mgr, err := newManager(ctx, rest, cfg, begun.Profiles)
	if err != nil {
		return err
	}
	return program.Run(ctx, mgr, controllers(cfg))
}
