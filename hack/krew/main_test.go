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
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestTheManifestIsOfTheArchivesThatAReleaseHas has make build the archive of this platform, and compares it with the manifest.
func TestTheManifestIsOfTheArchivesThatAReleaseHas(t *testing.T) {
	root := filepath.Join("..", "..")
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "make", "-C", root, "plugin-archives", "krew-manifest", "VERSION=1.2.3",
		"PLUGIN_PLATFORMS=linux/amd64", "PLUGIN_DIR="+folder)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	text, err := os.ReadFile(filepath.Join(folder, "clerk.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var plugin manifest
	if err := yaml.UnmarshalStrict(text, &plugin); err != nil {
		t.Fatal(err)
	}
	if plugin.Metadata["name"] != "clerk" || plugin.Spec.Version != "v1.2.3" || len(plugin.Spec.Platforms) != 1 {
		t.Errorf("the manifest is\n%s", text)
	}
	if length := len(plugin.Spec.ShortDescription); length > maxShortDescription || strings.HasSuffix(plugin.Spec.ShortDescription, ".") {
		t.Errorf("the short description has %d characters, or ends with a full stop", length)
	}
	for _, one := range plugin.Spec.Platforms {
		name, found := strings.CutPrefix(one.URI, "https://github.com/clerk-operator/clerk-operator/releases/download/v1.2.3/")
		archive, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !found {
			t.Errorf("%s: %v", one.URI, err)
			continue
		}
		if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != one.SHA256 {
			t.Errorf("%s has another checksum", name)
		}
		inside := filesOf(t, archive)
		for _, file := range one.Files {
			if !inside[file.From] {
				t.Errorf("%s has no %s, only %v", name, file.From, inside)
			}
		}
		if !inside[one.Bin] {
			t.Errorf("%s has no %s", name, one.Bin)
		}
	}
}

func filesOf(t *testing.T, archive []byte) map[string]bool {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	inside := map[string]bool{}
	for reader := tar.NewReader(unpacked); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return inside
		}
		if err != nil {
			t.Fatal(err)
		}
		inside[header.Name] = true
	}
}

func TestOnWindowsTheProgramHasASuffix(t *testing.T) {
	t.Parallel()
	got, err := platformOf(strings.Repeat("0", 64)+"  kubectl-clerk_windows_amd64.tar.gz", "https://example.com")
	if err != nil || got.Bin != "kubectl-clerk.exe" || got.Files[0].From != "kubectl-clerk.exe" || got.Selector.MatchLabels["os"] != "windows" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoReleaseIsRefused(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("0", 64)
	for name, test := range map[string]struct{ checksums, version, word string }{
		"no version":      {sum + "  kubectl-clerk_linux_amd64.tar.gz\n", "dev", "is no version"},
		"no archives":     {"", "1.2.3", "there are no checksums"},
		"another archive": {sum + "  other.tar.gz\n", "1.2.3", "is no checksum of an archive"},
		"another sum":     {"abc  kubectl-clerk_linux_amd64.tar.gz\n", "1.2.3", "is no checksum of an archive"},
	} {
		err := run(strings.NewReader(test.checksums), io.Discard, "clerk-operator/clerk-operator", test.version)
		if err == nil || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%s: got %v, want %q", name, err, test.word)
		}
	}
}
