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

package controlplane

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// crdTimeout bounds the wait for installed kinds to be served, where ctx sets no earlier end. On an idle machine it takes under a second.
const crdTimeout = time.Minute

// InstallCRDs creates or updates every CustomResourceDefinition of a folder and returns once all of them are established and served.
// Where the garbage collector has to know them at once, set Options.CRDs instead.
func (cp *ControlPlane) InstallCRDs(ctx context.Context, dir string) error {
	limit := crdTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	installed, err := envtest.InstallCRDs(cp.Config(), envtest.CRDInstallOptions{
		Paths:              []string{dir},
		ErrorIfPathMissing: true,
		MaxTime:            limit,
		PollInterval:       pollInterval,
	})
	if err != nil {
		return fmt.Errorf("installing the CRDs of %s: %w", dir, err)
	}
	if len(installed) == 0 {
		return fmt.Errorf("no CRD in %s: run make generate", dir)
	}
	return nil
}
