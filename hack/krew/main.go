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

// Command krew writes the manifest by which krew installs the plugin of kubectl, from the checksums of a release's archives.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	version := flag.String("version", "", "The release's version, without a leading v.")
	repository := flag.String("repository", "clerk-operator/clerk-operator", "The repository on GitHub that the release is in.")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *repository, *version); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

// manifest is krew's Plugin (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest).
type manifest struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       spec              `json:"spec"`
}

type spec struct {
	Version          string     `json:"version"`
	Homepage         string     `json:"homepage"`
	ShortDescription string     `json:"shortDescription"`
	Description      string     `json:"description"`
	Platforms        []platform `json:"platforms"`
}

type platform struct {
	Selector selector `json:"selector"`
	URI      string   `json:"uri"`
	SHA256   string   `json:"sha256"`
	Bin      string   `json:"bin"`
	Files    []file   `json:"files"`
}

type selector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

type file struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// maxShortDescription is how long krew's index lets it be.
const maxShortDescription = 50

// run reads what sha256sum printed of the archives.
func run(checksums io.Reader, out io.Writer, repository, version string) error {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(version) {
		return fmt.Errorf("-version %q is no version: give it as 1.2.3", version)
	}
	plugin := manifest{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: map[string]string{"name": "clerk"},
		Spec: spec{
			Version: "v" + version, Homepage: "https://github.com/" + repository + "/blob/v" + version + "/docs/kubectl.md",
			ShortDescription: "Say who has access through Clerk, and why",
			Description: "Asks a cluster that clerk-operator looks after who has access, why or why not, and what an edit\n" +
				"of a TenantClass would do, with your own rights and by the operator's own code.\n",
		},
	}
	lines := bufio.NewScanner(checksums)
	for lines.Scan() {
		one, err := platformOf(lines.Text(), "https://github.com/"+repository+"/releases/download/v"+version)
		if err != nil {
			return err
		}
		plugin.Spec.Platforms = append(plugin.Spec.Platforms, one)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the checksums: %w", err)
	}
	if len(plugin.Spec.Platforms) == 0 {
		return errors.New("there are no checksums: make plugin-archives writes them")
	}
	text, err := yaml.Marshal(plugin)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

// archiveLine is what sha256sum prints of an archive.
var archiveLine = regexp.MustCompile(`^([0-9a-f]{64}) [ *](kubectl-clerk_([a-z]+)_([a-z0-9]+)\.tar\.gz)$`)

func platformOf(line, folder string) (platform, error) {
	parts := archiveLine.FindStringSubmatch(line)
	if parts == nil {
		return platform{}, fmt.Errorf("%q is no checksum of an archive of the plugin", strings.TrimSpace(line))
	}
	program := "kubectl-clerk"
	if parts[3] == "windows" {
		program += ".exe"
	}
	return platform{
		Selector: selector{map[string]string{"os": parts[3], "arch": parts[4]}}, URI: folder + "/" + parts[2], SHA256: parts[1], Bin: program,
		Files: []file{{program, "."}, {"LICENSE", "."}},
	}, nil
}
