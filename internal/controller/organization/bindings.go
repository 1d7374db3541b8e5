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
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// maxConflicts bounds how often one reconciliation begins again because somebody else writes the same RoleBinding: whoever may write
// RoleBindings could go on for ever. It is tried again later.
const maxConflicts = 20

// bound is what a pass over the RoleBindings of an organization may do.
type bound int

const (
	// revokeOnly takes away what should not be.
	revokeOnly bound = iota

	// revokeAndGrant then gives what should be.
	revokeAndGrant
)

// bind makes the RoleBindings what they should be: first it takes away, then it gives. After each write it looks again, at everything
// that decides about access: a grant goes out only if nothing newer is known, and one that was overtaken on its way is taken back at once.
// It is false where the organization has become another.
func (e *enforcement) bind(ctx context.Context, what bound) (same bool, err error) {
	for e.conflicts < maxConflicts {
		wrote := e.revoke(ctx)
		if !wrote && what == revokeAndGrant && !e.intent.Frozen {
			wrote = e.grantNext(ctx)
		}
		if !wrote {
			return true, nil
		}
		if same, err := e.lookAgain(ctx); err != nil || !same {
			return false, err
		}
	}
	return false, fmt.Errorf("the RoleBindings of %s change all the time: tried again later", e.organization().Name)
}

// revoke takes away every grant that should not be, in every namespace, and tells whether it wrote anything.
func (e *enforcement) revoke(ctx context.Context) (wrote bool) {
	for _, namespace := range slices.Sorted(maps.Keys(e.intent.Bindings)) {
		plan := e.intent.Bindings[namespace]
		for _, binding := range plan.Keep {
			e.markRight(binding.Name, namespace, "RoleBinding", binding)
		}
		for _, binding := range plan.Delete {
			wrote = e.takeAway(ctx, binding.DeepCopy()) || wrote
		}
		for _, binding := range plan.Shrink {
			wrote = e.write(ctx, namespace, binding) || wrote
		}
	}
	return wrote
}

// grantNext gives the next grant that is missing, and tells whether it wrote anything.
func (e *enforcement) grantNext(ctx context.Context) (wrote bool) {
	for _, namespace := range slices.Sorted(maps.Keys(e.intent.Bindings)) {
		if !e.ready[namespace] {
			continue
		}
		for _, binding := range e.intent.Bindings[namespace].Grow {
			if e.write(ctx, namespace, binding) {
				return true
			}
		}
	}
	return false
}

// takeAway deletes a RoleBinding, of which it gets a copy, and tells whether anything was written. Where a finalizer would keep it, it is
// emptied first: RBAC honours a RoleBinding as long as it is there.
func (e *enforcement) takeAway(ctx context.Context, binding *rbacv1.RoleBinding) (wrote bool) {
	doing := fmt.Sprintf("delete RoleBinding %s/%s", binding.Namespace, binding.Name)
	if e.failed[doing] {
		return false
	}
	e.unmark(binding.Name, binding.Namespace, "RoleBinding")
	err := e.emptyHeld(ctx, binding)
	if err == nil && binding.DeletionTimestamp == nil {
		err = write.DeleteUnchanged(ctx, e.Client, binding)
		if err == nil {
			e.recent.remove(e.organization().UID, binding.UID)
			if len(binding.Finalizers) > 0 {
				return e.reread(ctx, binding, doing)
			}
		}
	}
	return e.resolve(ctx, err, binding, doing)
}

// emptyHeld takes the subjects out of a RoleBinding that a finalizer keeps. Without the permission to bind its ClusterRole the API server
// refuses that; then the finalizers go instead.
func (e *enforcement) emptyHeld(ctx context.Context, binding *rbacv1.RoleBinding) error {
	isHeld := binding.DeletionTimestamp != nil || len(binding.Finalizers) > 0
	if !isHeld || len(binding.Subjects) == 0 {
		return nil
	}
	err := e.patchBinding(ctx, binding, map[string]any{"subjects": nil})
	if apierrors.IsForbidden(err) {
		err = e.patchBinding(ctx, binding, map[string]any{"metadata": map[string]any{"finalizers": nil}})
	}
	return err
}

// patchBinding changes a RoleBinding, if it still is as it was seen; binding is what came of it.
func (e *enforcement) patchBinding(ctx context.Context, binding *rbacv1.RoleBinding, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	metadata["resourceVersion"], metadata["uid"] = binding.ResourceVersion, binding.UID
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	changed := &rbacv1.RoleBinding{ObjectMeta: write.NameOf(binding)}
	err = e.Client.Patch(ctx, changed, client.RawPatch(types.MergePatchType, patch), write.FieldOwner, client.DisableReadYourWritesConsistency)
	if err == nil {
		*binding = *changed.DeepCopy()
		e.recent.put(e.organization().UID, changed)
	}
	return err
}

// resolve deals with what came of a write to a RoleBinding that exists, and tells whether there is something new to look at.
func (e *enforcement) resolve(ctx context.Context, err error, binding *rbacv1.RoleBinding, doing string) (wrote bool) {
	switch {
	case err == nil:
		return true
	case apierrors.IsNotFound(err):
		e.recent.remove(e.organization().UID, binding.UID)
		return true
	case apierrors.IsConflict(err) && e.standby:
		return false // what the cache has yet to see is an event to come
	case apierrors.IsConflict(err):
		e.conflicts++
		return e.reread(ctx, binding, doing)
	}
	e.failed[doing] = true
	e.attempt(err, "%s", doing)
	return false
}

// reread reads a RoleBinding from the API server, which knows it to be newer than the cache does.
func (e *enforcement) reread(ctx context.Context, binding *rbacv1.RoleBinding, doing string) (wrote bool) {
	var live rbacv1.RoleBinding
	err := e.Live.Get(ctx, client.ObjectKeyFromObject(binding), &live)
	switch {
	case apierrors.IsNotFound(err):
		e.recent.remove(e.organization().UID, binding.UID)
	case err != nil:
		e.failed[doing] = true
		e.attempt(err, "%s", doing)
		return false
	default:
		if live.UID != binding.UID {
			e.recent.remove(e.organization().UID, binding.UID)
		}
		e.recent.put(e.organization().UID, &live)
	}
	return true
}

// write makes a RoleBinding what it should be, and tells whether there is something new to look at.
func (e *enforcement) write(ctx context.Context, namespace string, want tenant.Binding) (wrote bool) {
	doing := fmt.Sprintf("bind ClusterRole %s in %s by %s", want.ClusterRole, namespace, want.Name)
	if e.failed[doing] {
		return false
	}
	have := e.intent.Existing(namespace, want.Name)
	var err error
	wasRight := false
	if have == nil {
		err = e.createBinding(ctx, namespace, want)
	} else {
		changed := have.DeepCopy()
		err = e.patchBinding(ctx, changed, bindingChange(e.organization(), want))
		wasRight = changed.ResourceVersion == have.ResourceVersion
	}
	switch {
	case err == nil && wasRight:
		return false // the cache keeps it without its content, and will go on to: another look would find the same
	case err == nil:
		e.reportDrift(ctx, want.Name, namespace, "RoleBinding", want)
		e.markRight(want.Name, namespace, "RoleBinding", want)
		return true
	case apierrors.IsAlreadyExists(err):
		e.conflicts++
		return e.reread(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: want.Name}}, doing)
	case have != nil && (apierrors.IsConflict(err) || apierrors.IsNotFound(err) && !isMissingClusterRole(err, want.ClusterRole)):
		return e.resolve(ctx, err, have, doing)
	}
	e.failed[doing] = true
	e.problems.Add(bindRefusal(err, want.ClusterRole, fmt.Sprintf("bind ClusterRole %s in %s", want.ClusterRole, namespace)))
	// Where the operator may no longer bind the ClusterRole, nobody can be taken out of a RoleBinding: it goes as a whole. Its other
	// subjects wait for the permission, rather than that somebody keeps access they lost.
	return apierrors.IsForbidden(err) && have != nil && losesSubject(have, want) && e.takeAway(ctx, have.DeepCopy())
}

func losesSubject(have *rbacv1.RoleBinding, want tenant.Binding) bool {
	return slices.ContainsFunc(have.Subjects, func(subject rbacv1.Subject) bool { return !slices.Contains(want.Subjects, subject.Name) })
}

func (e *enforcement) createBinding(ctx context.Context, namespace string, want tenant.Binding) error {
	organization := e.organization()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: want.Name, Labels: tenant.Labels(organization), OwnerReferences: ownedBy(organization),
		},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: want.ClusterRole},
		Subjects: subjectsNamed(want.Subjects),
	}
	err := e.Client.Create(ctx, binding, write.FieldOwner, client.DisableReadYourWritesConsistency)
	if err == nil {
		e.recent.put(organization.UID, binding)
	}
	return err
}

// bindingChange makes a RoleBinding that exists what it should be. A list is replaced as a whole.
func bindingChange(organization *v1alpha1.ClerkOrganization, want tenant.Binding) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"labels": tenant.Labels(organization), "ownerReferences": ownedBy(organization)},
		"subjects": subjectsNamed(want.Subjects),
	}
}

func ownedBy(organization *v1alpha1.ClerkOrganization) []metav1.OwnerReference {
	return []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindOrganization, Name: organization.Name, UID: organization.UID,
	}}
}

func subjectsNamed(names []string) []rbacv1.Subject {
	subjects := make([]rbacv1.Subject, len(names))
	for i, name := range names {
		subjects[i] = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	return subjects
}
