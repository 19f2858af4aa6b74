package main

import (
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPicturesAreOfTheirText: each picture was drawn from the text beside it, for light pages and for dark ones, and a page shows both.
func TestPicturesAreOfTheirText(t *testing.T) {
	folder := filepath.Join(clone, "docs", "pictures")
	texts, err := filepath.Glob(filepath.Join(folder, "*.d2"))
	if err != nil || len(texts) == 0 {
		t.Fatalf("no picture is there: %v", err)
	}
	drawn, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil || len(drawn) != 2*len(texts) {
		t.Errorf("%d pictures of %d texts, want each twice: %v", len(drawn), len(texts), err)
	}
	shown := shownPictures(t)
	for _, text := range texts {
		content := read(t, text)
		name := strings.TrimSuffix(filepath.Base(text), ".d2")
		for _, picture := range []string{name + ".svg", name + "-dark.svg"} {
			svg := read(t, filepath.Join(folder, picture))
			if mark := fmt.Sprintf("sha256 %x", sha256.Sum256([]byte(content))); !strings.Contains(svg, mark) {
				t.Errorf("%s was drawn from another text than %s.d2 is: make pictures", picture, name)
			}
			if err := wellFormed(svg); err != nil {
				t.Errorf("%s: %v", picture, err)
			}
			if !shown[picture] {
				t.Errorf("no page shows %s", picture)
			}
		}
	}
}

// shownPictures are the names of those that pages show by a tag, each of which leads to a file.
func shownPictures(t *testing.T) map[string]bool {
	t.Helper()
	tag := regexp.MustCompile(`(?:src|srcset)="([^"]*)"`)
	out := map[string]bool{}
	for page, text := range pagesOf(t) {
		for _, match := range tag.FindAllStringSubmatch(withoutCode(text), -1) {
			if _, err := os.Stat(filepath.Join(clone, filepath.Dir(page), match[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			out[filepath.Base(match[1])] = true
		}
	}
	return out
}

func wellFormed(svg string) error {
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
