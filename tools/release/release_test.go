package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// binaries of two platforms.
func binaries(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for _, platform := range []string{"linux-amd64", "darwin-arm64"} {
		if err := os.MkdirAll(filepath.Join(bin, platform), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"argosyctl", "argosy-estimator"} {
			if err := os.WriteFile(filepath.Join(bin, platform, program), []byte(program+" of "+platform), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bin
}

// before are flags that name a chart and an image of v1.2.3, beside a chart of an earlier version.
func before(t *testing.T) []string {
	t.Helper()
	charts, images := t.TempDir(), t.TempDir()
	for _, name := range []string{"argosy-1.2.2.tgz", "argosy-1.2.3.tgz", "argosy-member-1.2.3.tgz"} {
		put(t, filepath.Join(charts, name), name)
	}
	for _, name := range []string{"argosy-webhook.tar", "argosy-webhook-amd64.cdx.json", "argosy-webhook-arm64.cdx.json"} {
		put(t, filepath.Join(images, name), name)
	}
	put(t, filepath.Join(images, "digests.txt"), "sha256:"+strings.Repeat("0f", 32)+"  argosy-webhook:v1.2.3\n")
	return []string{"-charts", charts, "-images", images}
}

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func packed(t *testing.T, bin string) string {
	t.Helper()
	out := t.TempDir()
	err := run(append(before(t), "-bin", bin, "-out", out, "-version", "v1.2.3", "-url", "https://example.org/releases",
		"-created", "1700000000", "-platforms", "linux/amd64,darwin/arm64"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, elements ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestArchives: each holds the program of its platform that can be run, and the same input gives the same bytes.
func TestArchives(t *testing.T) {
	bin := binaries(t)
	out, again := packed(t, bin), packed(t, bin)
	for _, program := range []string{"argosyctl", "argosy-estimator"} {
		name := program + "_v1.2.3_darwin_arm64.tar.gz"
		raw := read(t, out, name)
		if !bytes.Equal(raw, read(t, again, name)) {
			t.Errorf("%s packed twice, and not the same bytes", name)
		}
		files := unpacked(t, raw)
		if files[program] != program+" of darwin-arm64" || files["LICENSE"] == "" {
			t.Errorf("%s holds %v", name, files)
		}
		if completes := strings.Contains(files["kubectl_complete-argosy"], "__complete"); completes != (program == "argosyctl") {
			t.Errorf("%s: completion is there: %t", name, completes)
		}
		if sums := string(read(t, out, "checksums.txt")); !strings.Contains(sums, "  "+name+"\n") {
			t.Errorf("checksums.txt has no %s:\n%s", name, sums)
		}
	}
}

// unpacked gives the files of an archive; all but the licence must be programs.
func unpacked(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for reader := tar.NewReader(zipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
		if header.Name != "LICENSE" && header.Mode != 0o755 {
			t.Errorf("%s has mode %o", header.Name, header.Mode)
		}
	}
	return files
}

// TestSums: checksums.txt has each file of the release but itself and krew's manifest, with the sum that it has: charts of this version
// and what belongs to images too.
func TestSums(t *testing.T) {
	out := packed(t, binaries(t))
	sums := map[string]string{}
	for line := range strings.Lines(string(read(t, out, "checksums.txt"))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() == "checksums.txt" || entry.Name() == "argosy.yaml" {
			continue
		}
		if sum := sha256.Sum256(read(t, out, entry.Name())); sums[entry.Name()] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s has %x, checksums.txt says %q", entry.Name(), sum, sums[entry.Name()])
		}
		delete(sums, entry.Name())
	}
	if len(sums) > 0 {
		t.Errorf("checksums.txt has what is not there: %v", sums)
	}
	for name, want := range map[string]string{
		"argosy-1.2.3.tgz": "argosy-1.2.3.tgz", "argosy-member-1.2.3.tgz": "argosy-member-1.2.3.tgz",
		"argosy-webhook_v1.2.3_image.tar":            "argosy-webhook.tar",
		"argosy-webhook_v1.2.3_image_amd64.cdx.json": "argosy-webhook-amd64.cdx.json",
		"argosy-webhook_v1.2.3_image_arm64.cdx.json": "argosy-webhook-arm64.cdx.json",
		"image-digests.txt":                          "sha256:" + strings.Repeat("0f", 32) + "  argosy-webhook:v1.2.3\n",
	} {
		if have := string(read(t, out, name)); have != want {
			t.Errorf("%s is %q, want %q", name, have, want)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "argosy-1.2.2.tgz")); err == nil {
		t.Error("the chart of an earlier version is in it")
	}
}

// TestPartsOfAnotherVersion: what is not of this version is not released under its name.
func TestPartsOfAnotherVersion(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, charts, images string)
		want  string
	}{
		"no chart of this version": {
			spoil: func(t *testing.T, charts, _ string) {
				t.Helper()
				if err := os.Remove(filepath.Join(charts, "argosy-member-1.2.3.tgz")); err != nil {
					t.Fatal(err)
				}
			},
			want: "taking chart argosy-member: ",
		},
		"images of another": {
			spoil: func(t *testing.T, _, images string) {
				t.Helper()
				put(t, filepath.Join(images, "digests.txt"), "sha256:"+strings.Repeat("0f", 32)+"  argosy-webhook:v1.2.2\n")
			},
			want: "of version v1.2.2, and this release is v1.2.3: run make images VERSION=v1.2.3",
		},
		"digests that are none": {
			spoil: func(t *testing.T, _, images string) {
				t.Helper()
				put(t, filepath.Join(images, "digests.txt"), "argosy-webhook\n")
			},
			want: `taking image "argosy-webhook": want a digest`,
		},
		"an image without its bill": {
			spoil: func(t *testing.T, _, images string) {
				t.Helper()
				put(t, filepath.Join(images, "digests.txt"), "sha256:"+strings.Repeat("0f", 32)+"  argosyctl:v1.2.3\n")
				put(t, filepath.Join(images, "argosyctl.tar"), "an image")
			},
			want: "no bill of materials argosyctl-*.cdx.json",
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := before(t)
			tc.spoil(t, flags[1], flags[3])
			err := run(append(flags, "-bin", binaries(t), "-out", t.TempDir(), "-version", "v1.2.3", "-url", "https://example.org",
				"-platforms", "linux/amd64"), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestTooHeavy: a program that grew past what was promised is not packed.
func TestTooHeavy(t *testing.T) {
	bin := binaries(t)
	if err := os.Truncate(filepath.Join(bin, "linux-amd64", "argosyctl"), mostBytes+1); err != nil {
		t.Fatal(err)
	}
	err := run(append(before(t), "-bin", bin, "-out", t.TempDir(), "-version", "v1.2.3", "-url", "https://example.org",
		"-platforms", "linux/amd64"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "argosyctl has 70000001 bytes") {
		t.Errorf("got %v", err)
	}
}

// TestManifest: krew finds each platform's archive at its address with its checksum, which checksums.txt says too.
func TestManifest(t *testing.T) {
	out := packed(t, binaries(t))
	var manifest struct {
		Spec struct {
			Version   string `json:"version"`
			Platforms []struct {
				URI    string `json:"uri"`
				SHA256 string `json:"sha256"`
				Bin    string `json:"bin"`
			} `json:"platforms"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, out, "argosy.yaml"), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Spec.Version != "v1.2.3" || len(manifest.Spec.Platforms) != 2 {
		t.Fatalf("%+v", manifest)
	}
	sums := string(read(t, out, "checksums.txt"))
	for _, p := range manifest.Spec.Platforms {
		name := filepath.Base(p.URI)
		sum := sha256.Sum256(read(t, out, name))
		if p.SHA256 != hex.EncodeToString(sum[:]) || !strings.Contains(sums, p.SHA256+"  "+name+"\n") {
			t.Errorf("%s: manifest says %s, checksums.txt\n%s", name, p.SHA256, sums)
		}
		if p.URI != "https://example.org/releases/v1.2.3/"+name || p.Bin != "argosyctl" {
			t.Errorf("%+v", p)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	bin := binaries(t)
	for want, args := range map[string][]string{
		"-version \"0d1e2f\"":      {"-version", "0d1e2f"},
		"packing plan9/386":        {"-version", "v1.2.3", "-platforms", "plan9/386"},
		"-platforms \"linux\"":     {"-version", "v1.2.3", "-platforms", "linux"},
		"-out and -url are needed": {"-version", "v1.2.3", "-url", ""},
	} {
		err := run(append(append(before(t), "-bin", bin, "-out", t.TempDir(), "-url", "https://example.org"), args...), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
}
