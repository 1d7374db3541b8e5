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

package clustergrant

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// bindings are the ClusterRoleBindings that concern a ClusterGrant, as the cache has them or, where that is newer, as they were written.
// The cache holds those alone that have the operator's labels. Where it holds none of the name, the API server is asked until it has none
// either: somebody may have taken the labels off while the operator was away, and what it gives would stay.
func (e *enforcement) bindings(ctx context.Context, grant *v1alpha1.ClusterGrant) ([]*rbacv1.ClusterRoleBinding, error) {
	var list rbacv1.ClusterRoleBindingList
	if err := e.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ClusterRoleBindings: %w", err)
	}
	name := tenant.ClusterBindingName(grant.Name)
	known := slices.DeleteFunc(cached.Pointers(list.Items), func(binding *rbacv1.ClusterRoleBinding) bool {
		return !tenant.ConcernsGrant(binding, grant)
	})
	known = e.withLatest(known)
	if _, isChecked := e.checked.Load(grant.Name); !isChecked && !hasName(known, name) {
		if err := e.check(ctx, grant.Name, name); err != nil {
			return nil, err
		}
	}
	return e.withLatest(known), nil
}

// check asks the API server for the ClusterRoleBinding of a name that the cache does not hold. Where there is none, the elected replica
// need not ask again: of one that is made from now on it hears, or makes it itself. Whatever is there has to be dealt with first.
func (e *enforcement) check(ctx context.Context, grant, name string) error {
	err := e.reread(ctx, name)
	doing := "read the ClusterRoleBinding " + name
	switch {
	case apierrors.IsForbidden(err):
		if !e.failed[doing] { // those that the cache holds are dealt with all the same
			e.fail(err, doing)
		}
		return nil
	case err == nil && !e.standby && !hasName(slices.Collect(maps.Values(e.latest)), name):
		e.checked.Store(grant, struct{}{})
	}
	return err
}

// hasName tells whether one of some ClusterRoleBindings has a name. Those that are nil are gone.
func hasName(bindings []*rbacv1.ClusterRoleBinding, name string) bool {
	return slices.ContainsFunc(bindings, func(binding *rbacv1.ClusterRoleBinding) bool { return binding != nil && binding.Name == name })
}

// withLatest are ClusterRoleBindings as they were written or read since the cache saw them.
func (e *enforcement) withLatest(known []*rbacv1.ClusterRoleBinding) []*rbacv1.ClusterRoleBinding {
	var result []*rbacv1.ClusterRoleBinding
	seen := map[types.UID]bool{}
	for _, binding := range known {
		seen[binding.UID] = true
		latest, isKnown := e.latest[binding.UID]
		switch {
		case !isKnown, latest != nil && versionOf(binding) >= versionOf(latest):
			result = append(result, binding)
		case latest != nil:
			result = append(result, latest)
		}
	}
	for uid, latest := range e.latest {
		if latest != nil && !seen[uid] {
			result = append(result, latest)
		}
	}
	return result
}

// versionOf is an object's resourceVersion as a number, as which Kubernetes lets it be compared; 0 where it is none.
func versionOf(binding *rbacv1.ClusterRoleBinding) uint64 {
	version, err := strconv.ParseUint(binding.ResourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return version
}

// reread reads the ClusterRoleBinding of a name from the API server, which may know more than the cache does.
func (e *enforcement) reread(ctx context.Context, name string) error {
	for uid, latest := range e.latest {
		if latest != nil && latest.Name == name {
			e.latest[uid] = nil
		}
	}
	var live rbacv1.ClusterRoleBinding
	err := e.Live.Get(ctx, client.ObjectKey{Name: name}, &live)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read ClusterRoleBinding %s: %w", name, err)
	}
	e.latest[live.UID] = &live
	return nil
}

// write makes the ClusterRoleBinding what it should be, and tells whether there is something new to look at.
func (e *enforcement) write(ctx context.Context, want *tenant.Binding) (wrote bool) {
	doing := fmt.Sprintf("bind ClusterRole %s by the ClusterRoleBinding %s", want.ClusterRole, want.Name)
	if e.failed[doing] {
		return false
	}
	have := e.intent.Plan.Existing
	if have == nil {
		return e.create(ctx, want, doing)
	}
	changed, target := have.DeepCopy(), tenant.ClusterRoleBindingOf(e.situation.Grant, want)
	err := e.patch(ctx, changed, map[string]any{
		"metadata": map[string]any{"labels": target.Labels, "ownerReferences": target.OwnerReferences},
		"subjects": target.Subjects,
	})
	if apierrors.IsForbidden(err) && e.intent.Plan.Shrink != nil {
		// Where the operator may no longer bind the ClusterRole, nobody can be taken out: the ClusterRoleBinding goes as a whole. The others
		// wait for the permission, rather than that somebody keeps access they lost.
		e.fail(err, doing)
		return e.takeAway(ctx, have.DeepCopy())
	}
	if err == nil && changed.ResourceVersion != have.ResourceVersion {
		e.reportDrift(ctx, want)
	}
	return e.resolve(ctx, err, changed, doing) && changed.ResourceVersion != have.ResourceVersion
}

func (e *enforcement) create(ctx context.Context, want *tenant.Binding, doing string) (wrote bool) {
	binding := tenant.ClusterRoleBindingOf(e.situation.Grant, want)
	err := e.Client.Create(ctx, binding, write.FieldOwner, client.DisableReadYourWritesConsistency)
	switch {
	case apierrors.IsAlreadyExists(err):
		if err = e.reread(ctx, want.Name); err == nil {
			return true
		}
	case err == nil:
		e.latest[binding.UID] = binding
		e.reportDrift(ctx, want)
		return true
	}
	e.fail(err, doing)
	return false
}

// takeAway deletes a ClusterRoleBinding, of which it gets a copy, and tells whether anything was written. Where a finalizer would keep it,
// it is emptied first: RBAC honours it as long as it is there.
func (e *enforcement) takeAway(ctx context.Context, binding *rbacv1.ClusterRoleBinding) (wrote bool) {
	doing := "delete the ClusterRoleBinding " + binding.Name
	if e.failed[doing] {
		return false
	}
	err := e.emptyHeld(ctx, binding)
	if err == nil && binding.DeletionTimestamp == nil {
		err = write.DeleteUnchanged(ctx, e.Client, binding)
		if err == nil {
			e.latest[binding.UID] = nil
			if len(binding.Finalizers) > 0 {
				err = e.reread(ctx, binding.Name)
			}
		}
	}
	return e.resolve(ctx, err, binding, doing)
}

// emptyHeld takes the subjects out of a ClusterRoleBinding that a finalizer keeps. Without the permission to bind its ClusterRole the API
// server refuses that; then the finalizers go instead.
func (e *enforcement) emptyHeld(ctx context.Context, binding *rbacv1.ClusterRoleBinding) error {
	isHeld := binding.DeletionTimestamp != nil || len(binding.Finalizers) > 0
	if !isHeld || len(binding.Subjects) == 0 {
		return nil
	}
	err := e.patch(ctx, binding, map[string]any{"subjects": nil})
	if apierrors.IsForbidden(err) {
		err = e.patch(ctx, binding, map[string]any{"metadata": map[string]any{"finalizers": nil}})
	}
	return err
}

// patch changes a ClusterRoleBinding, if it still is as it was seen; binding is what came of it.
func (e *enforcement) patch(ctx context.Context, binding *rbacv1.ClusterRoleBinding, change map[string]any) error {
	changed := &rbacv1.ClusterRoleBinding{ObjectMeta: write.NameOf(binding)}
	err := write.PatchUnchanged(ctx, e.Client, binding, changed, change)
	if err == nil {
		*binding = *changed
		e.latest[binding.UID] = changed.DeepCopy()
	}
	return err
}

// resolve deals with what came of a write to a ClusterRoleBinding that exists, and tells whether there is something new to look at.
func (e *enforcement) resolve(ctx context.Context, err error, binding *rbacv1.ClusterRoleBinding, doing string) (wrote bool) {
	switch {
	case err == nil:
		return true
	case apierrors.IsNotFound(err):
		e.latest[binding.UID] = nil
		return true
	case apierrors.IsConflict(err) && e.standby:
		return false // what the cache has yet to see is an event to come
	case apierrors.IsConflict(err):
		if err = e.reread(ctx, binding.Name); err == nil {
			return true
		}
	}
	e.fail(err, doing)
	return false
}

func (e *enforcement) fail(err error, doing string) {
	e.failed[doing] = true
	e.problems.Add(refusal(err, doing))
}
