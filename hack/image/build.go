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
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nobody is the user and group that the program runs as: the one that distroless images call nonroot.
const nobody = "65532:65532"

// build compiles, writes the archive and the bill of materials, and prints what became of it.
func build(ctx context.Context, s settings, out io.Writer) (v1.Hash, error) {
	work, err := os.MkdirTemp("", "clerk-operator-image-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range s.platforms {
		binary := filepath.Join(work, strings.ReplaceAll(platform, "/", "-"))
		if err := compile(ctx, s, platform, binary); err != nil {
			return v1.Hash{}, err
		}
		image, err := assemble(s, platform, binary)
		if err != nil {
			return v1.Hash{}, fmt.Errorf("assemble the image for %s: %w", platform, err)
		}
		if err := report(out, platform, binary, image); err != nil {
			return v1.Hash{}, err
		}
		described, err := describe(image, platform)
		if err != nil {
			return v1.Hash{}, err
		}
		index = mutate.AppendManifests(index, described)
		if s.sbom == "" || platform != s.platforms[0] {
			continue // The modules are the same for each platform.
		}
		if err := writeSBOM(s, binary); err != nil {
			return v1.Hash{}, fmt.Errorf("write the bill of materials: %w", err)
		}
	}
	annotated, ok := mutate.Annotations(index, s.labels()).(v1.ImageIndex)
	if !ok {
		return v1.Hash{}, errors.New("an annotated index is no index any more")
	}
	digest, err := annotated.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	size, err := writeArchive(s.archive, s.name, annotated)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("write the archive: %w", err)
	}
	fmt.Fprintf(out, "image: %s, %s, %s in %s\n", s.name, digest, megabytes(size), s.archive)
	if s.push {
		return digest, push(ctx, s.name, annotated, out)
	}
	return digest, nil
}

// push puts the image, under the digest that was printed, where its name says.
func push(ctx context.Context, image string, index v1.ImageIndex, out io.Writer) error {
	reference, err := name.ParseReference(image, name.StrictValidation)
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(reference, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push %s: %w", image, err)
	}
	fmt.Fprintf(out, "image: pushed to %s\n", reference)
	return nil
}

// compile makes a binary that depends on nothing of the place where it is made: no C library, no paths, no build time.
func compile(ctx context.Context, s settings, platform, binary string) error {
	system, architecture, ok := strings.Cut(platform, "/")
	if !ok {
		return fmt.Errorf("%q is no platform: os/architecture", platform)
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X main.version="+s.version, "-o", binary, s.pkg)
	command.Dir = s.root
	command.Env = append(command.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GOOS="+system, "GOARCH="+architecture)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("compile %s for %s: %w\n%s", s.pkg, platform, err, strings.TrimSpace(output.String()))
	}
	return nil
}

// assemble makes an image of one layer with one file.
func assemble(s settings, platform, binary string) (v1.Image, error) {
	content, err := layerOf(binary, s.binary(), s.created)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: s.created}, CreatedBy: "hack/image", Comment: "one static binary"},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, _ = strings.Cut(platform, "/")
	config.Created = v1.Time{Time: s.created}
	config.Config.User = nobody
	config.Config.WorkingDir = "/"
	config.Config.Entrypoint = []string{"/" + s.binary()}
	config.Config.Labels = s.labels()
	return mutate.ConfigFile(image, config)
}

// layerOf is a tar with the binary as its only file, owned by root, so that who runs it cannot change it.
func layerOf(binary, name string, modified time.Time) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := addFile(archive, name, 0o755, modified, content); err != nil {
		return nil, err
	}
	return layer.Bytes(), archive.Close()
}

// labels say on the image and on its index what this is, by the names that the OCI image specification gives.
func (s settings) labels() map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":    s.binary(),
		"org.opencontainers.image.version":  s.version,
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.vendor":   "The clerk-operator Authors",
		"org.opencontainers.image.created":  s.created.Format(time.RFC3339),
	}
	if s.revision != "" {
		labels["org.opencontainers.image.revision"] = s.revision
	}
	return labels
}

// describe is what the index says of an image.
func describe(image v1.Image, platform string) (mutate.IndexAddendum, error) {
	system, architecture, _ := strings.Cut(platform, "/")
	size, err := image.Size()
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	return mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
		MediaType: types.OCIManifestSchema1, Size: size, Digest: digest, Platform: &v1.Platform{OS: system, Architecture: architecture},
	}}, nil
}

// report prints what a node pulls and unpacks for a platform, and refuses what is too big.
func report(out io.Writer, platform, binary string, image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	var pulled int64
	for _, layer := range layers {
		size, err := layer.Size()
		if err != nil {
			return err
		}
		pulled += size
	}
	unpacked, err := os.Stat(binary)
	if err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "image: %s: %s, %s to pull, %s unpacked\n", platform, digest, megabytes(pulled), megabytes(unpacked.Size()))
	if unpacked.Size() > maxImageBytes {
		return fmt.Errorf("the image for %s is %s, over the limit of %s", platform, megabytes(unpacked.Size()), megabytes(maxImageBytes))
	}
	return nil
}

func megabytes(size int64) string { return fmt.Sprintf("%.1f MB", float64(size)/1e6) }

// checkAgain builds from a copy of the source in another folder, and says whether the result is the same.
func checkAgain(ctx context.Context, s settings, first v1.Hash) error {
	elsewhere, err := os.MkdirTemp("", "clerk-operator-image-check-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(elsewhere) }()
	source := filepath.Join(elsewhere, "source")
	for _, part := range []string{"go.mod", "go.sum", "api", "cmd", "internal"} {
		if err := copyPart(filepath.Join(s.root, part), filepath.Join(source, part)); err != nil {
			return err
		}
	}
	s.root, s.archive, s.sbom, s.push = source, filepath.Join(elsewhere, "again.tar"), "", false
	second, err := build(ctx, s, io.Discard)
	if err != nil {
		return fmt.Errorf("build again: %w", err)
	}
	if first != second {
		return fmt.Errorf("not reproducible: the same source gave %s here and %s elsewhere", first, second)
	}
	fmt.Println("image: built again from a copy of the source in another folder: the same digest")
	return nil
}

func copyPart(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}
