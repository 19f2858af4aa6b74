package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// stateDir is absolute: the supervisor runs elsewhere than the person who calls it.
func stateDir(flag string) (string, error) {
	if flag == "" {
		flag = os.Getenv("ARGOSY_LAB_DIR")
	}
	if flag == "" {
		root, err := binaries.FindRoot()
		if err != nil {
			return "", err
		}
		return filepath.Join(root, ".lab"), nil
	}
	dir, err := filepath.Abs(flag)
	if err != nil {
		return "", fmt.Errorf("finding the state folder --dir: %w", err)
	}
	return dir, nil
}

// in hands a command the state folder.
func in(at func() (string, error), do func(cmd *cobra.Command, dir string, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		dir, err := at()
		if err != nil {
			return err
		}
		return do(cmd, dir, args)
	}
}
