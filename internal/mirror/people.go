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

package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// membership writes the organization that the membership carries first, where that is not mirrored yet or older. So the
// order in which Clerk's events for the two arrive does not matter. An organization that is rejected keeps no role from changing.
func (m *Mirror) membership(ctx context.Context, instance string, data *clerk.Membership, told telling) (Outcome, error) {
	refused := m.carriedOrganization(ctx, instance, &data.Organization, told)
	if _, rejected := errors.AsType[*RejectedError](refused); refused != nil && !rejected {
		return "", refused
	}
	want := memberSpec(instance, data)
	if want.UserID == "" {
		outcome, err := m.keepUser(ctx, &want)
		if err != nil || outcome != "" {
			return outcome, err
		}
	}
	outcome, err := put(ctx, m, members, want, told)
	if err == nil && refused != nil {
		return "", refused
	}
	return outcome, err
}

func (m *Mirror) carriedOrganization(ctx context.Context, instance string, data *clerk.Organization, told telling) error {
	organization := organizationSpec(instance, data)
	// It waits for no write of the organization that may be under way: that could keep a member's demotion waiting.
	known, err := known(ctx, m, organizations, organization, client.DisableReadYourWritesConsistency)
	if err != nil {
		return err
	}
	if known != nil && progress(&known.Spec.Entity, &organization.Entity) != newer {
		return nil
	}
	told.isCarried = true
	outcome, err := put(ctx, m, organizations, organization, told)
	if err == nil && outcome == Applied {
		countDropped(data)
	}
	return err
}

// keepUser lets a membership that does not say whose it is be that of whom it was, as far as that decides about access: the rest may be
// old.
func (m *Mirror) keepUser(ctx context.Context, want *v1alpha1.ClerkMemberSpec) (Outcome, error) {
	name := members.nameOf(want)
	var known v1alpha1.ClerkMember
	err := m.Live.Get(ctx, types.NamespacedName{Name: name}, &known)
	switch {
	case apierrors.IsNotFound(err):
		return "", &RejectedError{Reason: "data.public_user_data.user_id: missing, or no id, and the membership is not mirrored: " +
			"it is not known whose it is"}
	case err != nil:
		return "", fmt.Errorf("look for %s: %w", name, err)
	case known.Spec.DeletedAt != nil:
		return Stale, nil
	}
	want.UserID = known.Spec.UserID
	want.User.Banned, want.User.Deprovisioned = known.Spec.User.Banned, known.Spec.User.Deprovisioned
	return "", nil
}

// user writes a user as far as the ClerkInstance wants users mirrored. Where it wants none, only those are who are kept out, or were, and
// without anything personal.
func (m *Mirror) user(ctx context.Context, want v1alpha1.ClerkUserSpec, told telling) (Outcome, error) {
	instance, err := m.instance(ctx, want.Instance)
	if err != nil {
		return "", err
	}
	if instance.Spec.Users == v1alpha1.UsersNone {
		want = impersonal(want)
		isConcerned, err := m.isKeptOut(ctx, want)
		if err != nil || !isConcerned {
			return Ignored, err
		}
	}
	if told.mayCreate, err = m.keepsOut(ctx, want, told); err != nil {
		return "", err
	}
	if told.isListed && instance.Spec.Users != v1alpha1.UsersNone {
		if err := m.keepDirectory(ctx, &want); err != nil {
			return "", err
		}
	}
	return put(ctx, m, users, want, told)
}

// keepDirectory keeps of a user who is listed that a directory provisions them, where a webhook said so of the very same state: no list
// tells of directories.
func (m *Mirror) keepDirectory(ctx context.Context, want *v1alpha1.ClerkUserSpec) error {
	known, err := known(ctx, m, users, *want)
	if err == nil && known != nil && want.DeletedAt == nil && known.Spec.UpdatedAt.Equal(want.UpdatedAt) {
		want.Directory = known.Spec.Directory
	}
	return err
}

// isKeptOut tells whether a user is to be kept out, or is mirrored because they were.
func (m *Mirror) isKeptOut(ctx context.Context, want v1alpha1.ClerkUserSpec) (bool, error) {
	if isBarred(want) {
		return true, nil
	}
	known, err := known(ctx, m, users, want)
	if err != nil || known != nil {
		return known != nil, err
	}
	// The cache may not know of the ban yet that this lifts.
	name := users.nameOf(&want)
	err = m.Live.Get(ctx, types.NamespacedName{Name: name}, &v1alpha1.ClerkUser{})
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("look for %s: %w", name, err)
	}
	return err == nil, nil
}

func isBarred(user v1alpha1.ClerkUserSpec) bool {
	return user.DeletedAt != nil || user.Banned != nil || user.Deprovisioned != nil
}

// keepsOut tells whether an event from beyond the retention says that somebody who is a member is to be kept out. Such an event may
// create all the same: it gives nobody access, and what it says is not known.
func (m *Mirror) keepsOut(ctx context.Context, want v1alpha1.ClerkUserSpec, told telling) (bool, error) {
	if !isBarred(want) {
		return false, nil
	}
	isWithin, err := m.isWithinHorizon(ctx, want.Instance, told.at)
	if err != nil || isWithin {
		return isWithin, err
	}
	var list v1alpha1.ClerkMemberList
	err = m.Client.List(ctx, &list, client.MatchingLabels{v1alpha1.UserIDLabel: want.ID}, client.DisableReadYourWritesConsistency)
	if err != nil {
		return false, fmt.Errorf("list the memberships of %s in the cache: %w", want.ID, err)
	}
	return slices.ContainsFunc(list.Items, func(member v1alpha1.ClerkMember) bool {
		return member.Spec.DeletedAt == nil && member.Spec.Instance == want.Instance
	}), nil
}
