package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// save has Helm pack the chart, and writes what it packed with the times it was told: Helm's own are of the moment, so that no two of its
// archives of one chart have the same bytes.
func (o options) save(loaded *chart.Chart) (string, error) {
	folder, err := os.MkdirTemp("", "chart")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	packed, err := chartutil.Save(loaded, folder)
	if err != nil {
		return "", err
	}
	from, err := os.Open(packed)
	if err != nil {
		return "", err
	}
	defer from.Close()
	name := filepath.Join(o.out, filepath.Base(packed))
	to, err := os.Create(name)
	if err != nil {
		return "", err
	}
	if err := errors.Join(retime(to, from, time.Unix(o.created, 0).UTC()), to.Close()); err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return name, nil
}

// retime copies an archive, its files in their order and what Helm says in the header of its compression, with one time for all.
func retime(out io.Writer, in io.Reader, created time.Time) error {
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(out)
	zipped.Comment, zipped.Extra = unzipped.Comment, unzipped.Extra
	from, to := tar.NewReader(unzipped), tar.NewWriter(zipped)
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(to.Close(), zipped.Close())
		}
		if err != nil {
			return err
		}
		header.ModTime, header.AccessTime, header.ChangeTime = created, time.Time{}, time.Time{}
		if err := to.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(to, from); err != nil {
			return err
		}
	}
}
