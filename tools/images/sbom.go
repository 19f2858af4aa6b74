package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// billOfMaterials lists, as CycloneDX, the modules the linker put into the binary: what it says is what runs, tests and
// tools of go.mod are not in it. It has no serial number and no time of its own, so that equal binaries have equal bills.
func billOfMaterials(program, version string, info *buildinfo.BuildInfo) ([]byte, error) {
	main := cdx.Component{
		BOMRef:     purl(info.Main.Path, version),
		Type:       cdx.ComponentTypeApplication,
		Name:       program,
		Version:    version,
		PackageURL: purl(info.Main.Path, version),
		Properties: settings(info.Settings),
	}
	components := []cdx.Component{{
		BOMRef: purl("std", info.GoVersion), Type: cdx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion,
		PackageURL: purl("std", info.GoVersion),
	}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		ref := purl(module.Path, module.Version)
		c := cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: module.Path, Version: module.Version, PackageURL: ref}
		if module.Sum != "" {
			c.Properties = &[]cdx.Property{{Name: "go:sum", Value: module.Sum}}
		}
		components = append(components, c)
	}
	slices.SortFunc(components, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	refs := make([]string, len(components))
	for i, c := range components {
		refs[i] = c.BOMRef
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = ""
	bom.Metadata = &cdx.Metadata{Component: &main}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("writing the bill of materials: %w", err)
	}
	return out.Bytes(), nil
}

func purl(path, version string) string {
	if version == "" {
		return "pkg:golang/" + path
	}
	return "pkg:golang/" + path + "@" + version
}

func settings(all []debug.BuildSetting) *[]cdx.Property {
	out := []cdx.Property{}
	for _, s := range all {
		out = append(out, cdx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	slices.SortFunc(out, func(a, b cdx.Property) int { return strings.Compare(a.Name, b.Name) })
	return &out
}
