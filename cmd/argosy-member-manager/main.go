// argosy-member-manager runs in each member cluster and makes the kinds act there that the federation carries to it.
// controllers.go is the list of its controllers.
package main

import (
	"flag"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "argosy-member-manager:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("argosy-member-manager", flag.ExitOnError)
	configPath := flags.String("config", "", "configuration file (config.argosy.dev/v1alpha1); empty means the defaults")
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig of the member cluster; empty means the pod's own account")
	var profiles string
	program.ProfilesFlag(flags, &profiles)
	verbosity := flags.Int("v", 0, "0 logs what was changed, 1 also what was left alone and why")
	if err := program.Parse(flags, args); err != nil {
		return err
	}
	log := program.Log(*verbosity)
	cfg, err := config.LoadMemberManager(*configPath)
	if err != nil {
		return err
	}
	rest, err := program.Reach("the member cluster", "--kubeconfig", *kubeconfig)
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	mgr, err := newManager(rest, cfg, profiles)
	if err != nil {
		return err
	}
	for _, c := range controllers(cfg) {
		if c.section.Mode == config.Disabled {
			log.Info("Controller is disabled by the configuration", "controller", c.name)
			continue
		}
		if err := c.add(ctx, mgr); err != nil {
			return fmt.Errorf("setting up controller %s: %w", c.name, err)
		}
	}
	return mgr.Start(ctx)
}
