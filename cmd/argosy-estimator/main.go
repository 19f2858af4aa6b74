// argosy-estimator tells karmada-scheduler how many replicas really fit each member, by running each member's own scheduler on a mirror of
// it. It serves Karmada's scheduler-estimator protocol for many members in one process, with the flags of karmada-scheduler-estimator.
// With fit as its first argument it answers one question of argosyctl's instead, and ends.
package main

import (
	"flag"
	"fmt"
	"os"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/estimator/plugins"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/program"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "argosy-estimator:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == fitCommand {
		utilruntime.ReallyCrash = false
		return runFit(ctrl.SetupSignalHandler(), args[1:], os.Stdin, os.Stdout, os.Stderr)
	}
	flags := flag.NewFlagSet("argosy-estimator", flag.ExitOnError)
	options := addFlags(flags)
	configPath := flags.String("config", "", "configuration file (config.argosy.dev/v1alpha1); empty means the defaults")
	verbosity := flags.Int("v", 0, "0 logs what went wrong and what changed, 1 also every answer and why")
	if err := program.Parse(flags, args); err != nil {
		return err
	}
	logger := program.Log(flags.Name(), *verbosity)
	if err := program.LimitMemory(); err != nil {
		return err
	}
	// The scheduler asks Filter plugins in goroutines of its own. A panic there must cost one answer, not the process and so all members'
	// answers.
	utilruntime.ReallyCrash = false

	cfg, err := config.LoadEstimator(*configPath)
	if err != nil {
		return err
	}
	process, err := build(cfg, options, plugins.Registry())
	if err != nil {
		return err
	}
	return process.run(klog.NewContext(ctrl.SetupSignalHandler(), logger))
}
