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
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// source is a program that takes no time to compile.
func source(t *testing.T) settings {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"go.mod":      "module example.test/program\n\ngo 1.26\n",
		"cmd/main.go": "package main\n\nvar version string\n\nfunc main() { println(version) }\n",
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return settings{
		root: root, pkg: "./cmd", name: "program:v1", version: "v1", revision: "abc", platforms: []string{"linux/amd64", "linux/arm64"},
		archive: filepath.Join(t.TempDir(), "image.tar"), sbom: filepath.Join(t.TempDir(), "sbom.json"), created: time.Unix(0, 0).UTC(),
	}
}

func TestTheSameSourceInAnotherFolderAtAnotherTimeIsTheSameArchive(t *testing.T) {
	t.Parallel()
	first, second := source(t), source(t)
	main := filepath.Join(second.root, "cmd", "main.go")
	if err := os.Chtimes(main, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []settings{first, second} {
		if _, err := build(t.Context(), s, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for _, files := range [][2]string{{first.archive, second.archive}, {first.sbom, second.sbom}} {
		if !bytes.Equal(read(t, files[0]), read(t, files[1])) {
			t.Errorf("%s and %s differ", files[0], files[1])
		}
	}
}

func TestAnotherProgramIsAnotherDigest(t *testing.T) {
	t.Parallel()
	s := source(t)
	first, err := build(t.Context(), s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s.version = "v2"
	second, err := build(t.Context(), s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Errorf("both are %s: a digest that never changes proves nothing", first)
	}
}

func TestTheImageRunsTheBinaryAsNobodyOnEachPlatform(t *testing.T) {
	t.Parallel()
	s := source(t)
	if _, err := build(t.Context(), s, io.Discard); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	unpack(t, bytes.NewReader(read(t, s.archive)), folder)
	top, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := outer.Manifests[0].Annotations["io.containerd.image.name"]; got != s.name {
		t.Errorf("the archive names its image %q, want %q", got, s.name)
	}
	index, err := top.ImageIndex(outer.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, described := range manifest.Manifests {
		platforms = append(platforms, described.Platform.String())
		image, err := index.Image(described.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/program"}) {
			t.Errorf("%s runs %v as %q", described.Platform, config.Config.Entrypoint, config.Config.User)
		}
		layers, err := image.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%d layers (%v), want 1", len(layers), err)
		}
		if kind, err := layers[0].MediaType(); err != nil || kind != types.OCILayer {
			t.Errorf("the layer is of type %s (%v), want %s", kind, err, types.OCILayer)
		}
	}
	if !slices.Equal(platforms, s.platforms) {
		t.Errorf("platforms %v, want %v", platforms, s.platforms)
	}
}

func TestWhatIsPushedHasTheDigestThatWasPrinted(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	s := source(t)
	s.name, s.push = strings.TrimPrefix(server.URL, "http://")+"/some/program:v1", true
	digest, err := build(t.Context(), s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := name.ParseReference(s.name)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(reference)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := index.Digest(); err != nil || got != digest || len(manifest.Manifests) != len(s.platforms) {
		t.Errorf("the registry has %s (%v) with %d images, want %s with %d", got, err, len(manifest.Manifests), digest, len(s.platforms))
	}
}

func TestTheBillNamesGoAndTheProgram(t *testing.T) {
	t.Parallel()
	s := source(t)
	if _, err := build(t.Context(), s, io.Discard); err != nil {
		t.Fatal(err)
	}
	bill := string(read(t, s.sbom))
	if !json.Valid([]byte(bill)) {
		t.Fatalf("no JSON: %s", bill)
	}
	for _, want := range []string{`"pkg:golang/std@go1`, `"pkg:golang/example.test/program@v1"`} {
		if !strings.Contains(bill, want) {
			t.Errorf("no %s in %s", want, bill)
		}
	}
}

func TestTheTimeOfCreationIsAgreedOn(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]int64{"": 0, "1750000000": 1_750_000_000} {
		if got, err := creationTime(given); err != nil || got.Unix() != want {
			t.Errorf("%q gives %v (%v), want %d", given, got, err, want)
		}
	}
	if _, err := creationTime("yesterday"); err == nil {
		t.Error("a time that is no number is taken")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func unpack(t *testing.T, archive io.Reader, folder string) {
	t.Helper()
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, filepath.FromSlash(header.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
