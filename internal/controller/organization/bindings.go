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
	"maps"
	"slices"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/controller/write"
)

// maxConflicts bounds how often one reconciliation begins again because somebody else writes the same RoleBinding: whoever may write
// RoleBindings could go on for ever. It is tried again later.
const maxConflicts = 20

const (
	// grantsAtATime is how many RoleBindings of one organization are written side by side. After them everything is looked at again, so it
	// also bounds what goes out by one look.
	grantsAtATime = 4

	// grantsBeside bounds how many are written beside the first of their organization, over all organizations: when many come at once,
	// each writes one after the other, and the API server has no more to do at a time than there are workers and these.
	grantsBeside = 8
)

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

// grantNext gives the next grants that are missing, side by side, and tells whether it wrote anything. All of them go out right after the
// look that they were decided by.
func (e *enforcement) grantNext(ctx context.Context) (wrote bool) {
	var missing []*bindingWrite
	for _, namespace := range slices.Sorted(maps.Keys(e.intent.Bindings)) {
		if !e.ready[namespace] {
			continue
		}
		for _, binding := range e.intent.Bindings[namespace].Grow {
			if one := e.newBindingWrite(namespace, binding); !e.failed[one.doing] {
				missing = append(missing, one)
			}
		}
	}
	for len(missing) > 0 {
		count, giveBack := e.beside.take(min(len(missing), grantsAtATime) - 1)
		next := missing[:1+count]
		missing = missing[1+count:]
		var group sync.WaitGroup
		for _, one := range next {
			group.Go(func() { e.send(ctx, one) })
		}
		group.Wait()
		giveBack()
		for _, one := range next {
			wrote = e.conclude(ctx, one) || wrote
		}
		if wrote {
			return true
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

// patchBinding changes a RoleBinding of the organization, if it still is as it was seen; binding is what came of it.
func (e *enforcement) patchBinding(ctx context.Context, binding *rbacv1.RoleBinding, change map[string]any) error {
	err := e.patchUnchanged(ctx, binding, change)
	if err == nil {
		e.recent.put(e.organization().UID, binding.DeepCopy())
	}
	return err
}

// patchUnchanged changes any RoleBinding, if it still is as it was seen; binding is what came of it.
func (r *Reconciler) patchUnchanged(ctx context.Context, binding *rbacv1.RoleBinding, change map[string]any) error {
	changed := &rbacv1.RoleBinding{ObjectMeta: write.NameOf(binding)}
	err := write.PatchUnchanged(ctx, r.Client, binding, changed, change)
	if err == nil {
		*binding = *changed
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
