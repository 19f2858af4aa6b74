package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestKrewInstalls: krew itself takes the manifest and this machine's archive, and what it puts into the PATH runs as a plugin of kubectl.
func TestKrewInstalls(t *testing.T) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	bin := t.TempDir()
	folder := filepath.Join(bin, runtime.GOOS+"-"+runtime.GOARCH)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"argosyctl", "argosy-estimator"} {
		if err := os.WriteFile(filepath.Join(folder, program), []byte("#!/bin/sh\necho "+program+" was asked \"$@\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	err := run(append(before(t), "-bin", bin, "-out", out, "-version", "v1.2.3", "-url", "https://example.org/releases",
		"-created", "1700000000", "-platforms", platform), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(out, "argosyctl_v1.2.3_"+strings.ReplaceAll(platform, "/", "_")+".tar.gz")

	root := t.TempDir()
	krew := func(args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), "go", append([]string{"tool", "krew"}, args...)...)
		command.Env = append(os.Environ(), "KREW_ROOT="+root, "KREW_NO_UPGRADE_CHECK=1")
		said, err := command.CombinedOutput()
		return string(said), err
	}
	said, err := krew("install", "--manifest="+filepath.Join(out, "argosy.yaml"), "--archive="+archive)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if !strings.Contains(said, "argosy-estimator of the same release") {
		t.Errorf("it does not show what is to be known before the first use:\n%s", said)
	}
	ran, err := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "kubectl-argosy"), "version").CombinedOutput()
	if err != nil || string(ran) != "argosyctl was asked version\n" {
		t.Errorf("the plugin ran as %q: %v", ran, err)
	}

	// An archive that is another one than the manifest says is not installed.
	root = t.TempDir()
	if err := os.WriteFile(archive, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := krew("install", "--manifest="+filepath.Join(out, "argosy.yaml"), "--archive="+archive); err == nil {
		t.Errorf("an archive with another checksum was installed:\n%s", said)
	}
}
