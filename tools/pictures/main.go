package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"oss.terrastruct.com/d2/d2graph"
	"oss.terrastruct.com/d2/d2layouts/d2dagrelayout"
	"oss.terrastruct.com/d2/d2layouts/d2elklayout"
	"oss.terrastruct.com/d2/d2lib"
	"oss.terrastruct.com/d2/d2renderers/d2svg"
	"oss.terrastruct.com/d2/d2themes/d2themescatalog"
	"oss.terrastruct.com/d2/lib/log"
	"oss.terrastruct.com/d2/lib/textmeasure"
)

func main() {
	folder := flag.String("folder", "", "the pictures' folder: of each NAME.d2 in it NAME.svg and NAME-dark.svg are made beside it")
	flag.Parse()
	if err := draw(*folder); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// draw every picture of the folder twice: for readers whose pages are light, and for those whose pages are dark.
func draw(folder string) error {
	sources, err := filepath.Glob(filepath.Join(folder, "*.d2"))
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return errors.New("--folder holds no *.d2")
	}
	ruler, err := textmeasure.NewRuler()
	if err != nil {
		return fmt.Errorf("reading the fonts: %w", err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		base := strings.TrimSuffix(source, ".d2")
		for path, theme := range map[string]int64{
			base + ".svg":      d2themescatalog.NeutralDefault.ID,
			base + "-dark.svg": d2themescatalog.DarkMauve.ID,
		} {
			picture, err := render(string(text), ruler, theme)
			if err != nil {
				return fmt.Errorf("drawing %s: %w", source, err)
			}
			// A test of docs/generate holds the text against this, and needs no D2 for it.
			picture = fmt.Appendf(picture, "<!-- drawn by make pictures from %s, sha256 %x -->\n", filepath.Base(source), sha256.Sum256(text))
			if err := os.WriteFile(path, picture, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// render a text as SVG in the colours of a theme.
func render(text string, ruler *textmeasure.Ruler, theme int64) ([]byte, error) {
	pad, scale := int64(16), 0.75
	options := &d2svg.RenderOpts{Pad: &pad, Scale: &scale, ThemeID: &theme}
	ctx := log.With(context.Background(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	diagram, _, err := d2lib.Compile(ctx, text, &d2lib.CompileOptions{
		Ruler: ruler,
		// A text names its layout by vars: {d2-config: {layout-engine: elk}}.
		LayoutResolver: func(engine string) (d2graph.LayoutGraph, error) {
			if engine == "elk" {
				return d2elklayout.DefaultLayout, nil
			}
			return d2dagrelayout.DefaultLayout, nil
		},
	}, options)
	if err != nil {
		return nil, err
	}
	return d2svg.Render(diagram, options)
}
