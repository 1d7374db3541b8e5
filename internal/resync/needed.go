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

package resync

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// isNeeded tells whether a kind has to be listed: an application without such things may not even let its key list them.
func (k *kind) isNeeded(ctx context.Context, reader client.Reader, before inventory) (bool, error) {
	if k.needed == nil || len(before.living) > 0 || len(before.tombstones) > 0 {
		return true, nil
	}
	return k.needed(ctx, reader)
}

// readsDomains tells whether any TenantClass or ClusterGrant may ask for the domains of organizations. A text that only looks like it costs
// a request.
func readsDomains(ctx context.Context, reader client.Reader) (bool, error) {
	var classes v1alpha1.TenantClassList
	var grants v1alpha1.ClusterGrantList
	for _, list := range []client.ObjectList{&classes, &grants} {
		if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return false, fmt.Errorf("list %T: %w", list, err)
		}
	}
	for i := range classes.Items {
		if mentionsDomains(classes.Items[i].Spec) {
			return true, nil
		}
	}
	for i := range grants.Items {
		if mentionsDomains(grants.Items[i].Spec) {
			return true, nil
		}
	}
	return false, nil
}

func mentionsDomains(spec any) bool {
	text, err := json.Marshal(spec)
	return err != nil || bytes.Contains(bytes.ToLower(text), []byte("domains"))
}
