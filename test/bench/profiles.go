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
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
)

// profileSeconds is how long processor time is profiled from the beginning of what is measured.
const profileSeconds = 10

// profiled does something and, where the benchmark is to write profiles, takes those of the operator and of the API server meanwhile: their
// processor time, and then what they hold and have allocated. Look at them with go tool pprof.
func (b *bench) profiled(ctx context.Context, name string, do func() error) error {
	if b.profiles == "" {
		return do()
	}
	if err := os.MkdirAll(b.profiles, 0o750); err != nil {
		return err
	}
	sources, err := b.profileSources()
	if err != nil {
		return err
	}
	group, waiting := errgroup.WithContext(ctx)
	for _, source := range sources {
		group.Go(func() error {
			return source.write(waiting, b.profiles, name, "profile?seconds="+strconv.Itoa(profileSeconds), "cpu")
		})
	}
	if err := do(); err != nil {
		return err
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, source := range sources {
		if err := source.write(ctx, b.profiles, name, "heap", "heap"); err != nil {
			return err
		}
	}
	return nil
}

// profileSource is a process that profiles can be had from.
type profileSource struct {
	process, url string
	http         *http.Client
}

func (b *bench) profileSources() ([]profileSource, error) {
	config := b.plane.Config()
	toAPIServer, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	sources := []profileSource{{"kube-apiserver", config.Host + "/debug/pprof/", toAPIServer}}
	if b.replica != nil {
		sources = append(sources, profileSource{"clerk-operator", b.replica.ProfilesURL(), http.DefaultClient})
	}
	return sources, nil
}

// write writes one profile into a file.
func (s profileSource) write(ctx context.Context, folder, name, path, kind string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return fmt.Errorf("profile %s: %w", s.process, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile %s: answered %s", s.process, response.Status)
	}
	file, err := os.Create(filepath.Join(folder, fmt.Sprintf("%s.%s.%s.pprof", name, s.process, kind)))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
