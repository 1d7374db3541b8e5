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

package examples_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
)

// othersCRD is the CustomResourceDefinition of another project, as its Go module has it. The version and its checksum are pinned here: these
// modules are only read, and none of them is among what the operator is built of.
type othersCRD struct {
	example, module, version, sum string
	files                         []string
}

var othersCRDs = []othersCRD{
	{
		"argo-cd", "github.com/argoproj/argo-cd/v3", "v3.4.13", "h1:kmnF4nE5SQ83OhtdX6DMmLSpH0eRIa1gNYdCLNHqB+A=",
		[]string{"manifests/crds/application-crd.yaml"},
	},
	{
		"flux", "github.com/fluxcd/helm-controller", "v1.4.0", "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
		[]string{"config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml"},
	},
	{
		"flux", "github.com/fluxcd/source-controller", "v1.7.0", "h1:/fBgS4CSmT5Jj/fjQDF92y+pC3gst1GJjgNSzY8Ff9I=",
		[]string{"config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml"},
	},
	{
		"flux", "github.com/fluxcd/kustomize-controller", "v1.7.3", "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=",
		[]string{"config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"},
	},
	{
		"cilium", "github.com/cilium/cilium", "v1.20.2", "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8=",
		[]string{"pkg/k8s/apis/cilium.io/client/crds/v2/ciliumclusterwidenetworkpolicies.yaml"},
	},
	{
		"pull-secrets-kyverno", "github.com/kyverno/api", "v0.0.1-alpha.3.0.20260723090831-fb2785727f98",
		"h1:wGbyqQNc5wnHXq73aclvBje80lQvYDnqZCF967m+zEU=",
		[]string{"config/crds/policies.kyverno.io_generatingpolicies.yaml", "config/crds/policies.kyverno.io_mutatingpolicies.yaml"},
	},
	{
		"external-secrets", "github.com/external-secrets/external-secrets", "v1.3.2", "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
		[]string{"config/crds/bases/external-secrets.io_externalsecrets.yaml"},
	},
}

// installOthersCRDs installs what can be had, all at a time. It returns, by example, what cannot be had; anything else is an error.
func installOthersCRDs(ctx context.Context) (missing map[string]error, err error) {
	missing = map[string]error{}
	var mutex sync.Mutex
	var group sync.WaitGroup
	for _, crd := range othersCRDs {
		group.Go(func() {
			dir, downloadErr := crd.download(ctx)
			installErr := downloadErr
			if downloadErr == nil {
				installErr = crd.install(ctx, dir)
			}
			mutex.Lock()
			defer mutex.Unlock()
			if downloadErr != nil {
				missing[crd.example] = downloadErr
			} else if installErr != nil {
				err = installErr
			}
		})
	}
	group.Wait()
	return missing, err
}

// download has the go command fetch the module into its cache, and returns the folder.
func (c othersCRD) download(ctx context.Context) (dir string, err error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", c.module+"@"+c.version)
	command.Dir = root
	output, err := command.Output()
	var found struct{ Dir, Sum, Error string }
	if decodeErr := json.Unmarshal(output, &found); decodeErr != nil || err != nil {
		return "", fmt.Errorf("download %s %s: %w %s", c.module, c.version, errors.Join(err, decodeErr), found.Error)
	}
	if found.Sum != c.sum {
		return "", fmt.Errorf("%s %s has the checksum %s, want %s", c.module, c.version, found.Sum, c.sum)
	}
	return found.Dir, nil
}

func (c othersCRD) install(ctx context.Context, dir string) error {
	for _, file := range c.files {
		if err := plane.InstallCRDs(ctx, filepath.Join(dir, filepath.FromSlash(file))); err != nil {
			return err
		}
	}
	return nil
}
