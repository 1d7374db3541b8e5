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
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// writeArchive writes an index as an OCI image layout in a tar, and returns its size.
func writeArchive(archive, name string, index v1.ImageIndex) (int64, error) {
	folder, err := os.MkdirTemp("", "clerk-operator-layout-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path, err := layout.Write(folder, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return 0, err
	}
	_, tag, _ := strings.Cut(filepath.Base(name), ":")
	// The first is what the specification says and holds the tag alone; containerd takes the whole name from the second.
	names := map[string]string{"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": name}
	if err := path.AppendIndex(index, layout.WithAnnotations(names)); err != nil {
		return 0, err
	}
	return tarFolder(folder, archive)
}

// tarFolder packs a folder, in the order of the names and without times, so that the same content gives the same bytes.
func tarFolder(folder, archive string) (size int64, err error) {
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return 0, err
	}
	file, err := os.Create(archive)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	writer := tar.NewWriter(file)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		return addFile(writer, filepath.ToSlash(name), 0o644, time.Unix(0, 0), content)
	})
	if err != nil {
		return 0, err
	}
	if err := writer.Close(); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// addFile adds a file that belongs to root.
func addFile(archive *tar.Writer, name string, mode int64, modified time.Time, content []byte) error {
	header := &tar.Header{Name: name, Mode: mode, Size: int64(len(content)), ModTime: modified, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}
