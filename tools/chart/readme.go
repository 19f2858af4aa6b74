package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// readme writes the chart's README.md from Chart.yaml and the comments of values.yaml.
func (o options) readme() error {
	text, err := o.describe()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.chart, "README.md"), text, 0o644)
}

func (o options) describe() ([]byte, error) {
	loaded, err := loader.Load(o.chart)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(o.chart, "values.yaml"))
	if err != nil {
		return nil, err
	}
	var values yaml.Node
	if err := yaml.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("reading values.yaml: %w", err)
	}
	var page bytes.Buffer
	about := loaded.Metadata
	fmt.Fprint(&page, "<!-- Written by make generate from Chart.yaml and values.yaml. -->\n\n")
	fmt.Fprintf(&page, "# %s\n\n%s.\n\n", about.Name, about.Description)
	fmt.Fprintf(&page, "Kubernetes %s. How to install it, step by step: %s/blob/main/docs/install.md\n\n", about.KubeVersion, about.Home)
	fmt.Fprint(&page, "`values.schema.json` refuses what is not here.\n\n| value | default | what it is |\n|---|---|---|\n")
	if len(values.Content) > 0 {
		if err := rows(&page, "", values.Content[0]); err != nil {
			return nil, err
		}
	}
	return page.Bytes(), nil
}

// rows writes a line for each value, and for a group of values that says something of itself.
func rows(page *bytes.Buffer, above string, group *yaml.Node) error {
	for i := 0; i+1 < len(group.Content); i += 2 {
		key, value := group.Content[i], group.Content[i+1]
		name, said := above+key.Value, comment(key, value)
		// What is written on one line is one value.
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 && value.Style&yaml.FlowStyle == 0 {
			if said != "" {
				fmt.Fprintf(page, "| `%s` | | %s |\n", name, said)
			}
			if err := rows(page, name+".", value); err != nil {
				return err
			}
			continue
		}
		shown, err := inOneLine(value)
		if err != nil {
			return fmt.Errorf("value %s: %w", name, err)
		}
		fmt.Fprintf(page, "| `%s` | `%s` | %s |\n", name, shown, said)
	}
	return nil
}

// comment of a key, as the text of a table's cell.
func comment(key, value *yaml.Node) string {
	var words []string
	for _, text := range []string{key.HeadComment, key.LineComment, value.LineComment} {
		// A blank line parts what is said of the file from what is said of the value.
		parts := strings.Split(text, "\n\n")
		for line := range strings.SplitSeq(parts[len(parts)-1], "\n") {
			if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#")); line != "" {
				words = append(words, line)
			}
		}
	}
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(strings.Join(words, " "))
}

func inOneLine(value *yaml.Node) (string, error) {
	plain := *value
	plain.HeadComment, plain.LineComment, plain.FootComment = "", "", ""
	if plain.Kind != yaml.ScalarNode {
		plain.Style = yaml.FlowStyle
	}
	text, err := yaml.Marshal(&plain)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(string(text)), " "), "|", `\|`), nil
}
