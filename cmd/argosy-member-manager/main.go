// argosy-member-manager runs in each member cluster and makes the kinds act there that the federation carries to it.
// controllers.go is the list of its controllers.
package main

import (
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
)

const cluster = "the member cluster"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "argosy-member-manager:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	begun, err := program.Begin(program.Program{
		Name: "argosy-member-manager", Cluster: cluster, Logs: "0 logs what was changed, 1 also what was left alone and why",
	}, args)
	if err != nil {
		return err
	}
	cfg, err := config.LoadMemberManager(begun.Config)
	if err != nil {
		return err
	}
	rest, err := begun.Reach()
	if err != nil {
		return err
	}
	mgr, err := newManager(rest, cfg, begun.Profiles)
	if err != nil {
		return err
	}
	return program.Run(ctrl.SetupSignalHandler(), mgr, controllers(cfg))
}
