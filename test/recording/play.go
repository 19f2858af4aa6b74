package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/transcript"
)

const (
	// keystroke is how long a character takes to be typed: the one thing that is played, so that two recordings differ in what was seen alone.
	keystroke = 35 * time.Millisecond
	// reads is how long a reader takes for what was printed before the next command is typed.
	reads = 1500 * time.Millisecond
	// patience is how long a command marked with wait is asked again.
	patience = 3 * time.Minute
)

// player types a page in a folder and keeps what is seen.
type player struct {
	folder string
	clock  clock.PassiveClock
	// again is after how long a command marked with wait is asked again.
	again time.Duration
	cast  Cast
	at    time.Duration
}

func (p *player) show(kind, text string) {
	p.cast.Events = append(p.cast.Events, Event{At: p.at, Kind: kind, Text: text})
}

// play every step. A command that prints anything but what the page shows is an error: nothing is recorded then.
func (p *player) play(ctx context.Context, steps []transcript.Step) error {
	for _, step := range steps {
		if step.File != "" {
			if err := os.WriteFile(filepath.Join(p.folder, step.File), []byte(step.Content), 0o600); err != nil {
				return err
			}
			p.show(marker, saved(step.File))
			p.show(output, saved(step.File)+newline)
			p.at += keystroke
			continue
		}
		p.show(marker, step.Command)
		shown := prompt
		for _, char := range strings.TrimPrefix(typed(step.Command), prompt) {
			p.show(output, shown)
			p.at += keystroke
			shown = string(char)
		}
		p.show(output, shown+newline)
		began := p.clock.Now()
		out, err := p.follow(ctx, step)
		if err != nil {
			return fmt.Errorf("line %d: %s: %w\n%s", step.Line, step.Command, err, out)
		}
		p.at += p.clock.Now().Sub(began)
		p.show(output, strings.ReplaceAll(out, "\n", newline))
		p.at += reads
	}
	return nil
}

// follow runs a command until it prints what the page shows, once where nobody is to wait.
func (p *player) follow(ctx context.Context, step transcript.Step) (out string, err error) {
	look := func(ctx context.Context) (bool, error) {
		shell := exec.CommandContext(ctx, "bash", "-c", step.Command)
		shell.Dir = p.folder
		printed, failed := shell.CombinedOutput()
		out = string(printed)
		switch {
		case failed != nil && !step.Wait:
			return false, failed
		case failed == nil && transcript.Same(step.Want, out):
			return true, nil
		case step.Wait:
			return false, nil
		}
		return false, fmt.Errorf("the page shows:\n%s\nit printed", step.Want)
	}
	err = wait.PollUntilContextTimeout(ctx, p.again, patience, true, look)
	return out, err
}
