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

// Command image puts a static Go binary into an OCI image, without a container engine and without a registry: it compiles a package of this
// repository for each platform and writes one archive (an OCI image layout as tar) that "ctr images import", "skopeo copy oci-archive:…",
// "podman load" and "crane push" take. The same source gives the same digest, whenever and wherever it is built.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxImageBytes is the most that the image of one platform may be, unpacked: what the project promises.
const maxImageBytes = 60_000_000

// settings say what image is built.
type settings struct {
	root      string // the repository
	pkg       string // the package that is compiled, relative to root
	name      string // of the image, with its tag
	version   string
	revision  string
	platforms []string // os/arch
	archive   string
	sbom      string
	push      bool
	created   time.Time
}

// binary is the name of the program in the image, which has nothing else.
func (s settings) binary() string { name, _, _ := strings.Cut(path.Base(s.name), ":"); return name }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var s settings
	flag.StringVar(&s.root, "root", ".", "Folder of the module that is compiled.")
	flag.StringVar(&s.pkg, "package", "./cmd", "Package that is compiled, relative to the root.")
	flag.StringVar(&s.name, "name", "localhost/clerk-operator:dev", "Name and tag of the image; the last part of the name is that of the program in it.")
	flag.StringVar(&s.version, "version", "dev", "Version, for the program and the labels.")
	flag.StringVar(&s.revision, "revision", "", "Commit, for the labels.")
	flag.StringVar(&s.archive, "archive", "", "OCI archive to write.")
	flag.StringVar(&s.sbom, "sbom", "", "Bill of materials to write, CycloneDX JSON; none by default.")
	flag.BoolVar(&s.push, "push", false, "Push the image to the registry that its name begins with, as whom ~/.docker/config.json says.")
	platforms := flag.String("platforms", "linux/amd64,linux/arm64", "Platforms, separated by commas.")
	check := flag.Bool("check", false, "Build a second time, from a copy of the source elsewhere, and compare the digests.")
	flag.Parse()
	if s.archive == "" {
		return errors.New("say where to: -archive FILE")
	}
	s.platforms = strings.Split(*platforms, ",")
	var err error
	if s.created, err = creationTime(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	digest, err := build(ctx, s, os.Stdout)
	if err != nil {
		return err
	}
	if *check {
		return checkAgain(ctx, s, digest)
	}
	return nil
}

// creationTime is what the image says of when it was made: the time that reproducible builds agree on, or else the epoch, since the time of
// the build would give each build another digest.
func creationTime(sourceDateEpoch string) (time.Time, error) {
	if sourceDateEpoch == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(sourceDateEpoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, not a number of seconds", sourceDateEpoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
