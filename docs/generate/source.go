package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
)

// file is one parsed Go file of the product.
type file struct {
	// path from the clone's folder.
	path string
	*ast.File
}

// source is every Go file of the product, in order of path: no tests, no tools.
type source []file

func readSource(root string) (source, error) {
	var out source
	folders := []string{
		"api", "cmd", "cronhpa", "estimator", "fedhpa", "internal", "interpreter", "member", "migration", "release", "reschedule", "scalein",
	}
	for _, folder := range folders {
		base := filepath.Join(root, folder)
		err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				if path == base {
					return nil
				}
				return err
			}
			if entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			out = append(out, file{path: filepath.ToSlash(name), File: parsed})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// in is the files below a folder.
func (s source) in(folder string) source {
	var out source
	for _, f := range s {
		if strings.HasPrefix(f.path, folder+"/") {
			out = append(out, f)
		}
	}
	return out
}

const generated = "<!-- Written by make generate from the code. -->\n\n"

// cell keeps a text inside its cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
