package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "the clone's folder")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := readSource(root)
	if err != nil {
		return err
	}
	for name, write := range map[string]func(source) (string, error){
		"configuration.md": configurationPage,
		"metrics.md":       metricsPage,
		"rights.md":        rightsPage,
		"vm-states.md":     statesPage,
	} {
		page, err := write(files)
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(root, "docs/reference", name), []byte(page), 0o644); err != nil {
			return err
		}
	}
	return writeSchemas(root, files)
}
