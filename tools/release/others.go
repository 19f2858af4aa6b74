package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// charts of a release, as deploy/ has them; a folder of charts may hold other versions too.
var charts = []string{"argosy", "argosy-member"}

// others takes in what was packed before: charts, and each image's archive and bills of materials.
func (r release) others() ([]asset, error) {
	var assets []asset
	for _, chart := range charts {
		name := chart + "-" + strings.TrimPrefix(r.version, "v") + ".tgz"
		taken, err := r.take(filepath.Join(r.charts, name), name)
		if err != nil {
			return nil, fmt.Errorf("taking chart %s: %w", chart, err)
		}
		assets = append(assets, taken)
	}
	digests, err := os.ReadFile(filepath.Join(r.images, "digests.txt"))
	if err != nil {
		return nil, fmt.Errorf("reading the images' digests: %w", err)
	}
	for line := range strings.Lines(string(digests)) {
		taken, err := r.image(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("taking image %q: %w", strings.TrimSpace(line), err)
		}
		assets = append(assets, taken...)
	}
	taken, err := r.take(filepath.Join(r.images, "digests.txt"), "image-digests.txt")
	return append(assets, taken), err
}

// digests are lines of digests.txt: a digest, a program, the version.
var digests = regexp.MustCompile(`^(sha256:[0-9a-f]{64})  ([a-z0-9-]+):(\S+)$`)

// image takes the archive of a program's image and its bills of materials, one for each architecture.
func (r release) image(line string) ([]asset, error) {
	parts := digests.FindStringSubmatch(line)
	if parts == nil {
		return nil, errors.New("want a digest, two spaces, the program, a colon and the version")
	}
	program := parts[2]
	if parts[3] != r.version {
		return nil, fmt.Errorf("it is of version %s, and this release is %s: run make images VERSION=%s", parts[3], r.version, r.version)
	}
	archive, err := r.take(filepath.Join(r.images, program+".tar"), fmt.Sprintf("%s_%s_image.tar", program, r.version))
	if err != nil {
		return nil, err
	}
	bills, err := filepath.Glob(filepath.Join(r.images, program+"-*.cdx.json"))
	if err != nil {
		return nil, err
	}
	if len(bills) == 0 {
		return nil, fmt.Errorf("no bill of materials %s-*.cdx.json", program)
	}
	assets := []asset{archive}
	for _, from := range bills {
		arch := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(from), program+"-"), ".cdx.json")
		bill, err := r.take(from, fmt.Sprintf("%s_%s_image_%s.cdx.json", program, r.version, arch))
		if err != nil {
			return nil, err
		}
		assets = append(assets, bill)
	}
	return assets, nil
}

// take copies a file into the release under a name.
func (r release) take(from, name string) (asset, error) {
	taken := asset{name: name}
	in, err := os.Open(from)
	if err != nil {
		return taken, err
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return taken, err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	taken.sum = hex.EncodeToString(sum.Sum(nil))
	return taken, errors.Join(err, out.Close())
}
