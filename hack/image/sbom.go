/*
Copyright 2026 The clerk-operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"cmp"
	"debug/buildinfo"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM writes what the binary consists of, as the linker noted it in the binary: the modules, by version and by the checksum that go.sum
// has, and the Go release. There is no base image, so that is all.
func writeSBOM(s settings, binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.sbom), 0o755); err != nil {
		return err
	}
	file, err := os.Create(s.sbom)
	if err != nil {
		return err
	}
	if err := cyclonedx.NewBOMEncoder(file, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(billOfMaterials(s, info)); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// billOfMaterials has neither a serial number nor a time, so that the same source gives the same bill.
func billOfMaterials(s settings, info *debug.BuildInfo) *cyclonedx.BOM {
	bom := cyclonedx.NewBOM()
	bom.SerialNumber = ""
	main := module(info.Main.Path, s.version, "")
	main.Type = cyclonedx.ComponentTypeApplication
	bom.Metadata = &cyclonedx.Metadata{Component: &main}
	components := []cyclonedx.Component{module("std", info.GoVersion, "")}
	for _, dependency := range info.Deps {
		if dependency.Replace != nil {
			dependency = dependency.Replace
		}
		components = append(components, module(dependency.Path, dependency.Version, dependency.Sum))
	}
	slices.SortFunc(components, func(a, b cyclonedx.Component) int { return cmp.Compare(a.PackageURL, b.PackageURL) })
	bom.Components = &components
	return bom
}

func module(path, version, sum string) cyclonedx.Component {
	url := "pkg:golang/" + path + "@" + version
	component := cyclonedx.Component{
		BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url, Scope: cyclonedx.ScopeRequired,
	}
	if sum != "" {
		component.Properties = &[]cyclonedx.Property{{Name: "go:sum", Value: sum}}
	}
	return component
}
