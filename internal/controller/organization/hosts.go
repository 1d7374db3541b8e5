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

package organization

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// takeLostDomains takes from the organization's namespaces the domains that it owns no longer, where the class does not have that done:
// where it is not certain what should be, in namespaces that no entry fills, and once the organization is deleted.
func (e *enforcement) takeLostDomains(ctx context.Context) {
	for _, namespace := range e.intent.Namespaces {
		isServed := slices.ContainsFunc(e.intent.Entries, func(entry tenant.Entry) bool {
			return entry.Existing != nil && entry.Existing.Name == namespace.Name
		})
		if isServed && !e.intent.Frozen || namespace.DeletionTimestamp != nil {
			continue
		}
		e.takeLostDomainsFrom(ctx, namespace)
	}
}

func (e *enforcement) takeLostDomainsFrom(ctx context.Context, namespace *corev1.Namespace) {
	patch, err := tenant.LostDomainsPatch(namespace, e.intent.OwnDomains)
	if err == nil && patch != nil {
		change := client.RawPatch(types.MergePatchType, patch)
		err = e.Client.Patch(ctx, &corev1.Namespace{ObjectMeta: write.NameOf(namespace)}, change, write.FieldOwner)
	}
	e.attempt(client.IgnoreNotFound(err), "annotate namespace %s", namespace.Name)
}
