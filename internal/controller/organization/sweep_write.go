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
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// sweepPage looks at the next page, and says how long to wait then.
func (s *sweeper) sweepPage(
	ctx context.Context, state *sweep, keep keeping, intent *tenant.Intent, situation *tenant.Situation,
) (pause time.Duration, err error) {
	isLast, pause := true, sweepPause
	switch {
	case state.kind == sweptRoleBindings:
		isLast, err = s.sweepRoleBindings(ctx, situation.Organization, state, keep)
	case !isBounded(intent, state.namespace): // the guards let the operator do no more there
	case state.kind == sweptSecrets:
		isLast = s.sweepSecrets(ctx, situation.Organization, state)
	case intent.RecyclesServiceAccounts(situation):
		isLast, pause = s.sweepServiceAccounts(ctx, intent, situation, state)
	}
	if isLast {
		state.next()
	}
	return pause, err
}

// isBounded tells whether the guards bound derived access in a namespace, as its label says.
func isBounded(intent *tenant.Intent, name string) bool {
	return slices.ContainsFunc(intent.Namespaces, func(namespace *corev1.Namespace) bool {
		return namespace.Name == name && namespace.Labels[v1alpha1.DerivedAccessLabel] != ""
	})
}

// sweepRoleBindings takes out of the RoleBindings of one page whom they are not to keep.
func (s *sweeper) sweepRoleBindings(
	ctx context.Context, organization *v1alpha1.ClerkOrganization, state *sweep, keep keeping,
) (isLast bool, err error) {
	var list rbacv1.RoleBindingList
	err = s.Live.List(ctx, &list, client.InNamespace(state.namespace), client.Limit(sweepPage), client.Continue(state.page))
	if state.goesOn(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list RoleBindings of an organization: %w", err)
	}
	for at := range list.Items {
		binding := &list.Items[at]
		kept := keep(binding)
		if len(kept) == len(binding.Subjects) {
			continue
		}
		deleted, err := s.takeOut(ctx, binding, keep)
		switch {
		case err != nil:
			state.open = true
			s.miss(ctx, organization, state, "a RoleBinding lets in somebody who left, and could not be changed", err)
		case deleted:
			state.found.RoleBindingsDeleted++
			metrics.DerivedAccessRemoved.WithLabelValues("RoleBinding").Inc()
		default:
			state.found.RoleBindingsChanged++
			metrics.DerivedAccessRemoved.WithLabelValues("RoleBinding").Inc()
		}
	}
	state.page = list.Continue
	return state.page == "", nil
}

// sweepSecrets deletes the Secrets with tokens of one page.
func (s *sweeper) sweepSecrets(ctx context.Context, organization *v1alpha1.ClerkOrganization, state *sweep) (isLast bool) {
	deleted, next, err := s.secrets.deletePage(ctx, state.namespace, state.page)
	switch {
	case state.goesOn(err):
		return false
	case isNoRight(err): // without the guards there is none: nothing bounds what it could delete
	case err != nil:
		state.open = true
		s.miss(ctx, organization, state, "Secrets with tokens could not be deleted", err)
	}
	state.found.Secrets += deleted
	metrics.DerivedAccessRemoved.WithLabelValues("Secret").Add(float64(deleted))
	state.page = next
	return state.page == ""
}

// sweepServiceAccounts makes the ServiceAccounts of one page again, and says how long to wait then.
func (s *sweeper) sweepServiceAccounts(
	ctx context.Context, intent *tenant.Intent, situation *tenant.Situation, state *sweep,
) (isLast bool, pause time.Duration) {
	left, isKnown := s.lastLeft(intent, situation, state)
	if (!isKnown || left.After(s.Now())) && state.waits < maxWaits {
		state.waits++
		return false, statusesPause
	}
	due, next, err := s.accounts.due(ctx, state.namespace, state.page, left)
	made := 0
	if len(due) > 0 {
		if wait := s.refuse(ctx, situation.Organization, state); wait > 0 {
			return false, wait
		}
		made, err = s.accounts.makeAll(ctx, due)
		s.refusals[situation.Organization.Name].ended = s.Now()
	}
	switch {
	case state.goesOn(err):
		return false, sweepPause
	case isNoRight(err):
	case err != nil:
		s.miss(ctx, situation.Organization, state, "a ServiceAccount could not be made again", err)
	}
	state.made += made
	state.found.ServiceAccounts += made
	metrics.DerivedAccessRemoved.WithLabelValues("ServiceAccount").Add(float64(made))
	if state.page = next; state.page != "" {
		return false, sweepPause
	}
	made, state.made = state.made, 0
	state.pass++
	if made > 0 && state.pass == maxPasses {
		s.miss(ctx, situation.Organization, state, "somebody makes ServiceAccounts all the time", errors.New("too many passes"))
	}
	return made == 0 || state.pass >= maxPasses, sweepPause
}

// miss notes that something was left out, which needs another sweep.
func (s *sweeper) miss(ctx context.Context, organization *v1alpha1.ClerkOrganization, state *sweep, what string, err error) {
	state.found.Missed++
	log.FromContext(ctx).Info("After somebody left, "+what+": it is tried again",
		"organization", organization.Spec.ID, "reason", string(apierrors.ReasonForError(err)))
}

// takeOut has a RoleBinding name only those who are kept. Whoever is in one by which they may change it could do so faster than it is read
// and written here, and stay: then it goes as a whole.
func (s *sweeper) takeOut(ctx context.Context, binding *rbacv1.RoleBinding, keep keeping) (deleted bool, err error) {
	for range maxTakeOuts {
		kept := keep(binding)
		if len(kept) == len(binding.Subjects) {
			return false, nil
		}
		deleted, err = s.takeOutUnchanged(ctx, binding, kept)
		if !apierrors.IsConflict(err) {
			return deleted, err
		}
		var now rbacv1.RoleBinding
		if err := s.Live.Get(ctx, client.ObjectKeyFromObject(binding), &now); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		*binding = now
	}
	if err := write.Delete(ctx, s.Client, binding); err != nil {
		return true, err
	}
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q,"finalizers":null}}`, binding.UID) // they would keep it, and RBAC honours it then
	err = s.Client.Patch(ctx, binding, client.RawPatch(types.MergePatchType, patch), write.FieldOwner, client.DisableReadYourWritesConsistency)
	if apierrors.IsConflict(err) {
		return true, nil
	}
	return true, client.IgnoreNotFound(err)
}

// takeOutUnchanged does so if the RoleBinding still is as it was seen. It goes as a whole where nobody is left, and where the operator may
// not bind its role: then the API server lets it take nobody out.
func (s *sweeper) takeOutUnchanged(ctx context.Context, binding *rbacv1.RoleBinding, kept []rbacv1.Subject) (deleted bool, err error) {
	err = s.patchUnchanged(ctx, binding, map[string]any{"subjects": kept})
	if err == nil && len(kept) > 0 || err != nil && !mayNotBind(err) {
		return false, client.IgnoreNotFound(err)
	}
	if err != nil && len(binding.Finalizers) > 0 { // they would keep it, and RBAC honours it as long as it is there
		if err := s.patchUnchanged(ctx, binding, map[string]any{"metadata": map[string]any{"finalizers": nil}}); err != nil {
			return true, client.IgnoreNotFound(err)
		}
	}
	if binding.DeletionTimestamp != nil {
		return true, nil
	}
	return true, client.IgnoreNotFound(write.DeleteUnchanged(ctx, s.Client, binding))
}

// mayNotBind tells whether RBAC itself refused a change of a RoleBinding, since the operator may not bind its role. Somebody's policy may
// refuse it too: what that keeps is not the operator's to delete.
func mayNotBind(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant RBAC permissions not currently held")
}
