// argosy-lab runs a real Karmada federation on this machine: see docs/concepts/lab.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// Exit codes: scripts can tell a lab that already is as asked from one that failed.
const (
	exitFailed  = 1
	exitAlready = 3
)

func main() {
	iaas.BeMachine()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command().ExecuteContext(ctx)
	switch {
	case err == nil:
	case errors.Is(err, lab.ErrUp), errors.Is(err, lab.ErrDown):
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(exitAlready)
	default:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(exitFailed)
	}
}

func command() *cobra.Command {
	c := &cobra.Command{
		Use:           "argosy-lab",
		Short:         "A real Karmada federation on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var dir string
	c.PersistentFlags().StringVar(&dir, "dir", "", "state folder (default: $ARGOSY_LAB_DIR, or .lab in the clone)")
	at := func() (string, error) { return stateDir(dir) }
	c.AddCommand(
		upCommand(at), downCommand(at), statusCommand(at), envCommand(at), logsCommand(at),
		faultCommand(at, stopFault), faultCommand(at, startFault), demoCommand(at), superviseCommand(), usageCommand(), machinesCommand(),
	)
	return c
}
