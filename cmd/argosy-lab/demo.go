package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

func demoCommand(at func() (string, error)) *cobra.Command {
	var names []string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Start a federation if none is up, and play the story on it",
		Args:  cobra.NoArgs,
		RunE: in(at, func(cmd *cobra.Command, dir string, _ []string) error {
			scenes, err := demo.Select(demo.Scenes(), names)
			if err != nil {
				return err
			}
			return play(cmd, dir, scenes)
		}),
	}
	c.Flags().StringSliceVar(&names, "scene", nil, "play only this scene; may be given several times")
	return c
}

func play(cmd *cobra.Command, dir string, scenes []demo.Scene) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	// client-go warns of what the story does on purpose; its words belong into a log, not into a story.
	quiet := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(os.Stderr), textlogger.Verbosity(0)))
	klog.SetLogger(quiet)
	ctrl.SetLogger(quiet)
	l, err := lab.Open(dir)
	if errors.Is(err, lab.ErrDown) {
		options := lab.DefaultOptions()
		options.Dir, options.Reschedule = dir, everyNamespace
		l, err = up(ctx, options, out)
	} else if err == nil {
		fmt.Fprintf(out, "Playing on the federation that is up in %s\n", dir)
		err = fits(l)
	}
	if err != nil {
		return err
	}
	color := isTerminal(os.Stdout)
	report, err := demo.Play(ctx, demo.Options{Lab: l, Scenes: scenes, Out: out, Color: color})
	if err != nil {
		return err
	}
	report.Table(out, color)
	fmt.Fprintln(out, "\nThe federation is still running.")
	lookAround(out, l)
	if failed := len(report.Failed()); failed > 0 {
		return fmt.Errorf("%d of %d expectations of the demo were not met", failed, len(report.Rows))
	}
	return anyFailed(ctx, l)
}

// fits refuses a federation the scenes were not written for.
func fits(l *lab.Lab) error {
	switch {
	case l.Stock:
		return errors.New("the federation that is up runs without Argosy: end it with 'make down' first")
	case len(l.Members) < 3:
		return fmt.Errorf("the federation that is up has %d members and the demo needs 3: end it with 'make down' first", len(l.Members))
	}
	return nil
}

// anyFailed does not let a demo pass during which a component died.
func anyFailed(ctx context.Context, l *lab.Lab) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	units, err := l.Status(ctx)
	if err != nil {
		return err
	}
	for _, u := range units {
		if u.State == lab.Failed {
			return fmt.Errorf("during the demo %s", u.Error)
		}
	}
	return nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
