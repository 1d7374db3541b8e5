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
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// ensureNamespace makes the namespace of an entry, or sets the labels and annotations of the one that is there. It returns the namespace's
// name, and false while it cannot be used. taken are the names of those that fill another entry.
func (e *enforcement) ensureNamespace(ctx context.Context, entry *tenant.Entry, taken map[string]bool) (string, bool) {
	have := entry.Existing
	if have == nil {
		return e.makeNamespace(ctx, &entry.Namespace, taken)
	}
	if have.DeletionTimestamp != nil {
		e.problems.Add(terminating(have.Name))
		return "", false
	}
	patch, err := tenant.MetadataPatch(have, &entry.Namespace, e.organization())
	if err != nil || patch == nil {
		e.markRight(have.Name, "", "Namespace", shape(&entry.Namespace))
		return have.Name, e.attempt(err, "compare namespace %s", have.Name)
	}
	change := client.RawPatch(types.MergePatchType, patch)
	err = e.Client.Patch(ctx, &corev1.Namespace{ObjectMeta: write.NameOf(have)}, change, write.FieldOwner)
	if err == nil {
		e.reportDrift(ctx, have.Name, "", "Namespace", shape(&entry.Namespace))
		e.markRight(have.Name, "", "Namespace", shape(&entry.Namespace))
	} else {
		e.takeLostDomainsFrom(ctx, have) // something else of it may be what is refused
	}
	return have.Name, e.attempt(err, "label namespace %s", have.Name)
}

func terminating(name string) tenant.Problem {
	return tenant.Problem{Reason: v1alpha1.ReasonNamespaceTerminating,
		Message: fmt.Sprintf("the namespace %s is being deleted; it is made again when it is gone", name)}
}

// makeNamespace creates, and never applies: a namespace that exists and is not this organization's stays as it is.
func (e *enforcement) makeNamespace(ctx context.Context, want *tenant.Namespace, taken map[string]bool) (string, bool) {
	if err := tenant.CheckName(want.Name, e.OperatorNamespace); err != nil {
		e.problems.Add(tenant.Problem{Reason: v1alpha1.ReasonNamespaceNameInvalid, Stalled: true, Message: err.Error()})
		return "", false
	}
	candidates := want.Candidates(e.organization().Spec.ID)
	for _, name := range candidates {
		err := e.createNamespace(ctx, name, want)
		if err == nil {
			return name, true
		}
		if !apierrors.IsAlreadyExists(err) {
			return name, e.attempt(err, "create namespace %s", name)
		}
		var have corev1.Namespace
		if err := e.Live.Get(ctx, types.NamespacedName{Name: name}, &have); err != nil {
			return name, e.attempt(err, "read namespace %s", name)
		}
		if !tenant.IsNamespaceOf(&have, e.organization()) || taken[name] {
			continue // somebody else's, or another entry's whose name comes out the same
		}
		if have.DeletionTimestamp != nil {
			e.problems.Add(terminating(name))
			return "", false
		}
		e.recent.put(e.organization().UID, &have)
		return name, true
	}
	e.problems.Add(*tenant.NamespaceTaken(e.organization(), candidates))
	return "", false
}

func (e *enforcement) createNamespace(ctx context.Context, name string, want *tenant.Namespace) error {
	organization := e.organization()
	labels, annotations := tenant.NamespaceMetadata(want, organization)
	labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedBy
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}}
	if err := e.Client.Create(ctx, namespace, write.FieldOwner, client.DisableReadYourWritesConsistency); err != nil {
		return err
	}
	e.recent.put(organization.UID, namespace)
	e.markRight(name, "", "Namespace", shape(want))
	// No Event: that nothing is wrong is nothing that somebody must see, and it would be one for each organization.
	log.FromContext(ctx).Info("Created the namespace of the entry "+want.Template, "organization", organization.Spec.ID)
	return nil
}

// shape is what of a namespace itself is put right.
func shape(want *tenant.Namespace) any {
	return []any{
		want.Template, want.Labels, want.Annotations, want.DerivedAccess, want.Hosts, want.OwnDomains, want.Creators,
	}
}
