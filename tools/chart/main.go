package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

// options of all commands.
type options struct {
	chart, values, out, name, namespace, kubeVersion, version string
	upgrade                                                   bool
	created                                                   int64
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("want lint, template, package or readme")
	}
	var o options
	flags := flag.NewFlagSet("chart "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.chart, "chart", "", "the chart's folder")
	flags.StringVar(&o.values, "values", "", "file of values over the chart's own")
	flags.StringVar(&o.out, "out", "", "folder of the archive")
	flags.StringVar(&o.name, "name", "argosy", "the release's name")
	flags.StringVar(&o.namespace, "namespace", "argosy-system", "the release's namespace")
	flags.StringVar(&o.kubeVersion, "kube-version", "v1.34.2", "version of the host cluster")
	flags.StringVar(&o.version, "version", "", "package: of the programs and so of the chart, such as v1.2.3; by default what Chart.yaml says")
	flags.BoolVar(&o.upgrade, "upgrade", false, "render as an upgrade")
	flags.Int64Var(&o.created, "created", 0, "package: time of the files in seconds since 1970: the commit's, so that packing again is equal")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "lint":
		return o.lint(out)
	case "template":
		return o.template(out)
	case "package":
		return o.pack(out)
	case "readme":
		return o.readme()
	}
	return fmt.Errorf("%q: want lint, template, package or readme", args[0])
}

func (o options) read() (chartutil.Values, error) {
	if o.values == "" {
		return chartutil.Values{}, nil
	}
	return chartutil.ReadValuesFile(o.values)
}

// lint fails on warnings too.
func (o options) lint(out io.Writer) error {
	values, err := o.read()
	if err != nil {
		return err
	}
	version, err := chartutil.ParseKubeVersion(o.kubeVersion)
	if err != nil {
		return err
	}
	result := lint.AllWithKubeVersion(o.chart, values, o.namespace, version)
	for _, message := range result.Messages {
		if _, err := fmt.Fprintln(out, message); err != nil {
			return err
		}
	}
	if result.HighestSeverity >= support.WarningSev {
		return fmt.Errorf("%s has faults", o.chart)
	}
	return nil
}

// template writes hooks and all, in the order of their files.
func (o options) template(out io.Writer) error {
	loaded, err := loader.Load(o.chart)
	if err != nil {
		return err
	}
	rendered, err := o.render(loaded)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		text := rendered[name]
		if strings.HasPrefix(path.Base(name), "_") || path.Ext(name) == ".txt" || len(bytes.TrimSpace([]byte(text))) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(out, "---\n# Source: %s\n%s\n", name, text); err != nil {
			return err
		}
	}
	return nil
}

func (o options) render(loaded *chart.Chart) (map[string]string, error) {
	values, err := o.read()
	if err != nil {
		return nil, err
	}
	version, err := chartutil.ParseKubeVersion(o.kubeVersion)
	if err != nil {
		return nil, err
	}
	if !chartutil.IsCompatibleRange(loaded.Metadata.KubeVersion, version.Version) {
		return nil, fmt.Errorf("the chart needs Kubernetes %s, not %s", loaded.Metadata.KubeVersion, version.Version)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	release := chartutil.ReleaseOptions{Name: o.name, Namespace: o.namespace, Revision: 1, IsInstall: !o.upgrade, IsUpgrade: o.upgrade}
	// It checks the values against the schema.
	all, err := chartutil.ToRenderValues(loaded, values, release, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(loaded, all)
}

func (o options) pack(out io.Writer) error {
	if o.out == "" {
		return errors.New("-out is needed")
	}
	loaded, err := loader.Load(o.chart)
	if err != nil {
		return err
	}
	if o.version != "" {
		// Images are tagged so, and the chart asks for the tag that its appVersion is.
		loaded.Metadata.AppVersion, loaded.Metadata.Version = o.version, strings.TrimPrefix(o.version, "v")
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	archive, err := o.save(loaded)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, archive)
	return err
}
