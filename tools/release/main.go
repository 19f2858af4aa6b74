package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is what one run packs.
type release struct {
	bin, charts, images, out, version, url, root string
	created                                      time.Time
}

// mostBytes of argosyctl: what everybody downloads stays lighter than its peers (decision 0389).
const mostBytes = 70_000_000

// archive is one that was written, for one platform.
type archive struct {
	asset
	os, arch string
}

// asset is a file of the release with its SHA-256.
type asset struct {
	name, sum string
}

// versions are what krew demands, and what file names can hold.
var versions = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	r := release{}
	flags.StringVar(&r.bin, "bin", "", "folder that holds <os>-<arch>/argosyctl and /argosy-estimator")
	flags.StringVar(&r.charts, "charts", "", "folder of the charts that tools/chart packed")
	flags.StringVar(&r.images, "images", "", "folder of the images that tools/images packed")
	flags.StringVar(&r.out, "out", "", "folder to write to")
	flags.StringVar(&r.version, "version", "", "such as v1.2.3")
	flags.StringVar(&r.url, "url", "", "where the archives of all versions will be served: <url>/<version>/<archive>")
	flags.StringVar(&r.root, "root", "../..", "the repository")
	platforms := flags.String("platforms", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64", "comma separated platforms")
	created := flags.Int64("created", 0, "time of the files in seconds since 1970: the commit's, so that a rebuild is equal")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.bin == "" || r.charts == "" || r.images == "" || r.out == "" || r.url == "" {
		return errors.New("-bin, -charts, -images, -out and -url are needed")
	}
	if !versions.MatchString(r.version) {
		return fmt.Errorf("-version %q: want a semantic version with a v, such as v1.2.3", r.version)
	}
	r.created = time.Unix(*created, 0).UTC()
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	archives, beside, err := r.programs(strings.Split(*platforms, ","))
	if err != nil {
		return err
	}
	others, err := r.others()
	if err != nil {
		return err
	}
	var assets []asset
	for _, a := range slices.Concat(archives, beside) {
		assets = append(assets, a.asset)
	}
	return r.describe(archives, append(assets, others...), out)
}

// programs packs argosyctl, which krew installs, and argosy-estimator, which who asks `argosyctl fit` puts beside it.
func (r release) programs(platforms []string) (archives, beside []archive, err error) {
	for _, platform := range platforms {
		system, arch, ok := strings.Cut(platform, "/")
		if !ok {
			return nil, nil, fmt.Errorf("-platforms %q: want os/arch", platform)
		}
		packed, err := r.pack("argosyctl", system, arch, file{
			name: "kubectl_complete-argosy", from: filepath.Join(r.root, "tools", "release", "kubectl_complete-argosy"), mode: 0o755,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("packing %s: %w", platform, err)
		}
		estimator, err := r.pack("argosy-estimator", system, arch)
		if err != nil {
			return nil, nil, fmt.Errorf("packing %s: %w", platform, err)
		}
		archives, beside = append(archives, packed), append(beside, estimator)
	}
	return archives, beside, nil
}

// pack writes the archive of one program for one platform, with what else belongs to it.
func (r release) pack(program, system, arch string, more ...file) (archive, error) {
	packed := archive{os: system, arch: arch, asset: asset{name: fmt.Sprintf("%s_%s_%s_%s.tar.gz", program, r.version, system, arch)}}
	binary := filepath.Join(r.bin, system+"-"+arch, program)
	if info, err := os.Stat(binary); err != nil {
		return packed, err
	} else if program == "argosyctl" && info.Size() > mostBytes {
		return packed, fmt.Errorf("argosyctl has %d bytes, and at most %d were promised: see what it links (docs/decisions/0389)",
			info.Size(), mostBytes)
	}
	files := append([]file{
		{name: "LICENSE", from: filepath.Join(r.root, "LICENSE"), mode: 0o644},
		{name: program, from: binary, mode: 0o755},
	}, more...)
	target, err := os.Create(filepath.Join(r.out, packed.name))
	if err != nil {
		return packed, err
	}
	sum := sha256.New()
	err = write(io.MultiWriter(target, sum), files, r.created)
	packed.sum = hex.EncodeToString(sum.Sum(nil))
	return packed, errors.Join(err, target.Close())
}

// describe writes the checksums and krew's manifest.
func (r release) describe(archives []archive, assets []asset, out io.Writer) error {
	var sums strings.Builder
	for _, a := range assets {
		sums.WriteString(a.sum + "  " + a.name + "\n")
	}
	if err := os.WriteFile(filepath.Join(r.out, "checksums.txt"), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	manifest, err := r.manifest(archives)
	if err != nil {
		return fmt.Errorf("writing krew's manifest for %d archives: %w", len(archives), err)
	}
	if err := os.WriteFile(filepath.Join(r.out, "argosy.yaml"), manifest, 0o644); err != nil {
		return err
	}
	_, err = io.WriteString(out, sums.String())
	return err
}
