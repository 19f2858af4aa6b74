package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const program = "tiny"

// compile builds a small program in a folder of its own, as make images builds Argosy's.
func compile(t *testing.T, text string) string {
	t.Helper()
	src, bin := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.org/tiny\n\ngo 1.26.0\n", "main.go": text} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(bin, "linux-"+arch, program),
			".")
		cmd.Dir = src
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building for %s: %v\n%s", arch, err, out)
		}
	}
	return bin
}

func pack(t *testing.T, bin string, more ...string) string {
	t.Helper()
	out := t.TempDir()
	args := append([]string{"-bin", bin, "-out", out, "-programs", program, "-version", "v1.2.3", "-revision", "abc", "-created",
		"1700000000"}, more...)
	if err := run(args, io.Discard); err != nil {
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

const hello = "package main\n\nfunc main() { println(\"hello\") }\n"

func TestTheSameInputGivesTheSameImage(t *testing.T) {
	one, two := pack(t, compile(t, hello)), pack(t, compile(t, hello))
	for _, name := range []string{"digests.txt", program + ".tar", program + "/index.json", program + "-amd64.cdx.json",
		program + "-arm64.cdx.json"} {
		if !bytes.Equal(read(t, one, name), read(t, two, name)) {
			t.Errorf("%s differs between two builds of the same source", name)
		}
	}
	other := pack(t, compile(t, strings.ReplaceAll(hello, "hello", "world")))
	if bytes.Equal(read(t, one, "digests.txt"), read(t, other, "digests.txt")) {
		t.Error("another program has the same digest")
	}
}

func TestTheImageIsWhole(t *testing.T) {
	bin := compile(t, hello)
	out := pack(t, bin)
	index := openIndex(t, filepath.Join(out, program))
	if err := validate.Index(index); err != nil {
		t.Fatalf("index: %v", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, descriptor := range manifest.Manifests {
		platforms = append(platforms, descriptor.Platform.String())
		img, err := index.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, img, filepath.Join(bin, "linux-"+descriptor.Platform.Architecture, program))
	}
	if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("platforms %q", got)
	}
}

// openIndex reads the one index of a layout, by its name.
func openIndex(t *testing.T, dir string) v1.ImageIndex {
	t.Helper()
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	root, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := root.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "v1.2.3" {
		t.Fatalf("the layout holds %+v, want one index named v1.2.3", manifest.Manifests)
	}
	index, err := root.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func checkImage(t *testing.T, img v1.Image, binary string) {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != user || strings.Join(config.Config.Entrypoint, " ") != "/"+program {
		t.Errorf("runs %q as %q", config.Config.Entrypoint, config.Config.User)
	}
	files := extract(t, img)
	if !bytes.Equal(files[program], read(t, binary)) {
		t.Errorf("the image's %s is not the binary it was given", program)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(files["usr/share/sbom/"+program+".cdx.json"]), cdx.BOMFileFormatJSON).
		Decode(&bom); err != nil {
		t.Fatalf("the bill of materials inside the image: %v", err)
	}
	if bom.Metadata.Component.Name != program || len(*bom.Components) != 1 || (*bom.Components)[0].Name != "std" {
		t.Errorf("the bill of materials lists %+v", bom.Components)
	}
}

func TestABinaryThatCannotRunIsRefused(t *testing.T) {
	bin := compile(t, hello)
	if err := os.Rename(filepath.Join(bin, "linux-amd64", program), filepath.Join(bin, "linux-arm64", program)); err != nil {
		t.Fatal(err)
	}
	args := []string{"-bin", bin, "-out", t.TempDir(), "-programs", program, "-version", "v1", "-platforms", "linux/arm64"}
	err := run(args, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "built for linux/amd64") {
		t.Errorf("packing a binary of another platform: %v", err)
	}
}

// extract flattens the image as a runtime would.
func extract(t *testing.T, img v1.Image) map[string][]byte {
	t.Helper()
	stream := mutate.Extract(img)
	defer stream.Close()
	return untar(t, stream)
}
