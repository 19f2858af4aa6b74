package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who the program runs as: nobody that exists on a node, and a number, so that a cluster can prove runAsNonRoot.
const user = "65532:65532"

const source = "https://github.com/argosy-dev/argosy"

type platform struct{ os, arch string }

func (p platform) dir() string { return p.os + "-" + p.arch }

// build is everything that may enter an image beside the binaries.
type build struct {
	bin, out          string
	version, revision string
	created           time.Time
	platforms         []platform
}

func (b build) all(programs []string, out io.Writer) error {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	var digests strings.Builder
	for _, program := range programs {
		digest, err := b.program(program)
		if err != nil {
			return fmt.Errorf("packing %s: %w", program, err)
		}
		line := fmt.Sprintf("%s  %s:%s\n", digest, program, b.version)
		digests.WriteString(line)
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(b.out, "digests.txt"), []byte(digests.String()), 0o644)
}

// program writes the layout and the archive of one program and returns its index's digest.
func (b build) program(program string) (v1.Hash, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range b.platforms {
		img, err := b.image(program, p)
		if err != nil {
			return v1.Hash{}, fmt.Errorf("%s/%s: %w", p.os, p.arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	dir := filepath.Join(b.out, program)
	if err := os.RemoveAll(dir); err != nil {
		return v1.Hash{}, err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": b.version})
	if err := path.AppendIndex(index, name); err != nil {
		return v1.Hash{}, err
	}
	if err := archive(dir, dir+".tar"); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

func (b build) image(program string, p platform) (v1.Image, error) {
	path := filepath.Join(b.bin, p.dir(), program)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("reading build info: %w", err)
	}
	if err := runsOn(content, info, p); err != nil {
		return nil, err
	}
	bom, err := billOfMaterials(program, b.version, info)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(b.out, program+"-"+p.arch+".cdx.json"), bom, 0o644); err != nil {
		return nil, err
	}
	layer, err := b.layer([]file{
		{name: program, mode: 0o755, content: content},
		{name: "usr/share/sbom/" + program + ".cdx.json", mode: 0o644, content: bom},
	})
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:     layer,
		MediaType: types.OCILayer,
		History:   v1.History{Author: "argosy", Created: v1.Time{Time: b.created}, CreatedBy: "tools/images", Comment: program},
	})
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, b.config(img, program, p))
}

// config keeps what Append wrote about layers and history and adds how the program is run.
func (b build) config(img v1.Image, program string, p platform) *v1.ConfigFile {
	// An image just built in memory has a config; an error here has no cause.
	base, err := img.ConfigFile()
	if err != nil {
		base = &v1.ConfigFile{}
	}
	c := base.DeepCopy()
	c.OS, c.Architecture = p.os, p.arch
	c.Author = "argosy"
	c.Created = v1.Time{Time: b.created}
	c.Config = v1.Config{
		User:       user,
		Entrypoint: []string{"/" + program},
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":    program,
			"org.opencontainers.image.version":  b.version,
			"org.opencontainers.image.revision": b.revision,
			"org.opencontainers.image.source":   source,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return c
}

type file struct {
	name    string
	mode    int64
	content []byte
}

// layer holds the files and their folders, in order of name, owned by root and not writable by the program.
func (b build) layer(files []file) (v1.Layer, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	seen := map[string]bool{}
	for _, f := range files {
		var folders []string
		for dir := filepath.Dir(f.name); dir != "."; dir = filepath.Dir(dir) {
			folders = append(folders, dir)
		}
		slices.Sort(folders)
		for _, dir := range folders {
			if seen[dir] {
				continue
			}
			seen[dir] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: b.created,
				Format: tar.FormatPAX}); err != nil {
				return nil, err
			}
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: b.created, Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil }
	return tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
}

// runsOn refuses a binary of another platform, and one that needs a C library the image does not hold.
func runsOn(content []byte, info *buildinfo.BuildInfo, p platform) error {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["GOOS"] != p.os || settings["GOARCH"] != p.arch {
		return fmt.Errorf("the binary is built for %s/%s", settings["GOOS"], settings["GOARCH"])
	}
	binary, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("reading the binary: %w", err)
	}
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("the binary is linked dynamically: build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// archive writes a layout folder as a tar whose bytes depend on the folder's content alone.
func archive(dir, path string) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := tar.NewWriter(out)
	// WalkDir goes in lexical order.
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: filepath.ToSlash(rel) + "/", Mode: 0o755, Format: tar.FormatPAX})
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(rel), Mode: 0o644, Size: int64(len(content)),
			Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	return errors.Join(err, w.Close())
}
