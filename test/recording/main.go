package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/transcript"
)

func main() {
	page := flag.String("page", "docs/tutorials/first-federation.md", "the tutorial to play, on the federation of KUBECONFIG")
	folder := flag.String("out", "docs/recordings", "where NAME.cast and NAME.svg go")
	drawn := flag.Bool("draw", false, "play nothing: draw the picture of the recording that is there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *page, *folder, *drawn); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, page, folder string, drawn bool) error {
	stored := filepath.Join(folder, strings.TrimSuffix(filepath.Base(page), ".md"))
	if !drawn {
		cast, err := record(ctx, page)
		if err != nil {
			return err
		}
		text, err := cast.Encode()
		if err != nil {
			return err
		}
		if err := os.WriteFile(stored+".cast", []byte(text), 0o644); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(stored + ".cast")
	if err != nil {
		return err
	}
	cast, err := Decode(string(text))
	if err != nil {
		return fmt.Errorf("%s.cast: %w", stored, err)
	}
	return os.WriteFile(stored+".svg", []byte(Draw(cast)), 0o644)
}

func record(ctx context.Context, page string) (Cast, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return Cast{}, err
	}
	steps, err := transcript.Parse(string(text))
	if err != nil {
		return Cast{}, fmt.Errorf("%s: %w", page, err)
	}
	dir, err := os.MkdirTemp("", "recording-")
	if err != nil {
		return Cast{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it holds the page's files alone
	title, _, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
	p := &player{folder: dir, clock: clock.RealClock{}, again: time.Second, cast: Cast{Header: Header{
		Version: 2, Width: columns, Height: rows, Title: "Argosy: " + title, IdleTimeLimit: idle.Seconds(),
	}}}
	if err := p.play(ctx, steps); err != nil {
		return Cast{}, fmt.Errorf("%s: %w", page, err)
	}
	return p.cast, differs(p.cast, steps)
}
