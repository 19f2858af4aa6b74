package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"reflect"
	"strings"

	"github.com/argosy-dev/argosy/internal/config"
)

const configurationIntro = `# Configuration files

One file for each program (` + "`--config`" + `); without one the defaults hold. It is read strictly: a field that does not exist, a value
out of range or a field given twice ends the start with the field's name. In the chart the fields go into ` +
	"`webhook.config`, `controllerManager.config` and `estimator.config`" + `.

`

func configurationPage(all source) (string, error) {
	docs := fieldDocs(all.in("internal/config"))
	var page strings.Builder
	page.WriteString(generated + configurationIntro)
	for _, file := range configurations() {
		value := reflect.ValueOf(file.defaults).Elem()
		fmt.Fprintf(&page, "## %s: kind %s\n\n| field | default | meaning |\n|---|---|---|\n", file.program, value.FieldByName("Kind"))
		if err := rows(&page, docs, "", value); err != nil {
			return "", err
		}
		page.WriteString("\n")
	}
	return strings.TrimRight(page.String(), "\n") + "\n", nil
}

type configuration struct {
	program  string
	defaults any
	// chart that runs it: the folder below deploy/.
	chart string
}

func configurations() []configuration {
	return []configuration{
		{"argosy-webhook", config.DefaultWebhook(), "chart"},
		{"argosy-controller-manager", config.DefaultControllerManager(), "chart"},
		{"argosy-estimator", config.DefaultEstimator(), "chart"},
		{"argosy-member-manager", config.DefaultMemberManager(), "member"},
	}
}

// rows writes a line for each field, depth first.
func rows(page *strings.Builder, docs map[string]string, prefix string, value reflect.Value) error {
	kind := value.Type()
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			if err := rows(page, docs, prefix, value.Field(i)); err != nil {
				return err
			}
			continue
		}
		meaning, ok := docs[kind.Name()+"."+field.Name]
		if !ok {
			return fmt.Errorf("%s.%s of internal/config has no comment", kind.Name(), field.Name)
		}
		path := prefix + name
		if field.Type.Kind() == reflect.Struct {
			fmt.Fprintf(page, "| `%s` | | %s |\n", path, cell(meaning))
			if err := rows(page, docs, path+".", value.Field(i)); err != nil {
				return err
			}
			continue
		}
		content, err := json.Marshal(value.Field(i).Interface())
		if err != nil {
			return err
		}
		fmt.Fprintf(page, "| `%s` | `%s` | %s |\n", path, content, cell(meaning))
		if field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct {
			if err := rows(page, docs, path+"[].", reflect.Zero(field.Type.Elem())); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldDocs is the comment of each field, by type and name. A comment over several fields is each one's.
func fieldDocs(files source) map[string]string {
	docs := map[string]string{}
	for _, f := range files {
		ast.Inspect(f.File, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			last := ""
			for _, field := range structure.Fields.List {
				if field.Doc != nil {
					last = strings.TrimSpace(field.Doc.Text())
				}
				for _, name := range field.Names {
					docs[spec.Name.Name+"."+name.Name] = last
				}
			}
			return true
		})
	}
	return docs
}
