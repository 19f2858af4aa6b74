package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"time"
)

// file of an archive.
type file struct {
	name, from string
	mode       int64
}

// write packs the files in their order; nothing of the machine or its user enters.
func write(out io.Writer, files []file, created time.Time) error {
	zipped := gzip.NewWriter(out)
	packed := tar.NewWriter(zipped)
	for _, f := range files {
		if err := f.add(packed, created); err != nil {
			return err
		}
	}
	return errors.Join(packed.Close(), zipped.Close())
}

func (f file) add(packed *tar.Writer, created time.Time) error {
	content, err := os.ReadFile(f.from)
	if err != nil {
		return err
	}
	header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(content)), ModTime: created, Format: tar.FormatPAX}
	if err := packed.WriteHeader(header); err != nil {
		return err
	}
	_, err = packed.Write(content)
	return err
}
