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

// Package mirror writes what Clerk says into the API server: one event, one forced server-side apply per entity, with no read
// first, no lock and no memory of deliveries. What is stale, the API server refuses by the rules of the kinds themselves.
package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// FieldOwner is the field manager of what Clerk says.
const FieldOwner = client.FieldOwner("clerk-operator-mirror")

// Options are what a Mirror works with.
type Options struct {
	// Client applies. Its reads come from the cache: what the cache already holds spares the API server.
	Client client.Client

	// Live reads from the API server itself.
	Live client.Reader

	// TombstoneRetention is how long a tombstone is kept. An event older than that may change an object but not create one.
	TombstoneRetention time.Duration

	// Now is the clock.
	Now func() time.Time
}

// Mirror writes events into the API server.
type Mirror struct {
	Options
}

// New returns a Mirror.
func New(options Options) *Mirror {
	return &Mirror{Options: options}
}

// Apply writes what an event of a ClerkInstance says. An error other than a RejectedError is worth another attempt.
func (m *Mirror) Apply(ctx context.Context, instance string, event *clerk.Event) (Outcome, error) {
	switch data := event.Data.(type) {
	case *clerk.Organization:
		return put(ctx, m, organizations, organizationSpec(instance, data), event.Time)
	case *clerk.OrganizationDeleted:
		return put(ctx, m, organizations, organizationTombstone(instance, data, event.Time), event.Time)
	case *clerk.Membership:
		return m.membership(ctx, instance, data, event.Time)
	case *clerk.MembershipDeleted:
		return put(ctx, m, members, memberTombstone(instance, data, event.Time), event.Time)
	case *clerk.User:
		return m.user(ctx, userSpec(instance, data), event.Time)
	case *clerk.UserDeleted:
		return m.user(ctx, userTombstone(instance, data, event.Time), event.Time)
	case *clerk.Role:
		return put(ctx, m, roles, roleSpec(instance, data), event.Time)
	case *clerk.RoleDeleted:
		return put(ctx, m, roles, roleTombstone(instance, data, event.Time), event.Time)
	case *clerk.Permission:
		return put(ctx, m, permissions, permissionSpec(instance, data), event.Time)
	case *clerk.PermissionDeleted:
		return put(ctx, m, permissions, permissionTombstone(instance, data, event.Time), event.Time)
	default:
		return Ignored, nil
	}
}

// membership applies the organization that the membership carries first, where that is not mirrored yet or older. So the
// order in which Clerk's events for the two arrive does not matter.
func (m *Mirror) membership(ctx context.Context, instance string, data *clerk.Membership, at time.Time) (Outcome, error) {
	organization := organizationSpec(instance, &data.Organization)
	// It waits for no write of the organization that may be under way: that could keep a member's demotion waiting.
	known, err := known(ctx, m, organizations, organization, client.DisableReadYourWritesConsistency)
	if err != nil {
		return "", err
	}
	if known == nil || progress(organizations.stateOf(&known.Spec), organizations.stateOf(&organization)) == newer {
		if _, err := put(ctx, m, organizations, organization, at); err != nil {
			return "", err
		}
	}
	return put(ctx, m, members, memberSpec(instance, data), at)
}

// user applies a user as far as the ClerkInstance wants users mirrored. Where it wants none, those who are mirrored already are brought up
// to date, without anything personal: they are there because they keep somebody out.
func (m *Mirror) user(ctx context.Context, want v1alpha1.ClerkUserSpec, at time.Time) (Outcome, error) {
	var instance v1alpha1.ClerkInstance
	if _, err := read(ctx, m.Client, want.Instance, &instance, client.DisableReadYourWritesConsistency); err != nil {
		return "", err
	}
	if instance.Spec.Users != v1alpha1.UsersNone {
		mayCreate, err := m.keepsOut(ctx, want, at)
		if err != nil {
			return "", err
		}
		if mayCreate {
			at = m.Now()
		}
		return put(ctx, m, users, want, at)
	}
	known, err := known(ctx, m, users, want)
	if err != nil {
		return "", err
	}
	if known == nil {
		return Ignored, nil
	}
	return put(ctx, m, users, impersonal(want), at)
}

// keepsOut tells whether an event from beyond the retention says that somebody who is a member is to be kept out. Such an event may
// create all the same: it gives nobody access, and what it says is not known.
func (m *Mirror) keepsOut(ctx context.Context, want v1alpha1.ClerkUserSpec, at time.Time) (bool, error) {
	if m.Now().Sub(at) <= m.TombstoneRetention || want.DeletedAt == nil && want.Banned == nil && want.Deprovisioned == nil {
		return false, nil
	}
	var list v1alpha1.ClerkMemberList
	err := m.Client.List(ctx, &list, client.MatchingLabels{v1alpha1.UserIDLabel: want.ID}, client.DisableReadYourWritesConsistency)
	if err != nil {
		return false, fmt.Errorf("list the memberships of %s in the cache: %w", want.ID, err)
	}
	return slices.ContainsFunc(list.Items, func(member v1alpha1.ClerkMember) bool {
		return member.Spec.DeletedAt == nil && member.Spec.Instance == want.Instance
	}), nil
}

// put applies what is wanted of an entity, unless the cache knows it to be so already, or to be newer.
func put[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, at time.Time) (Outcome, error) {
	known, err := known(ctx, m, k, want)
	if err != nil {
		return "", err
	}
	if known != nil {
		switch progress(k.stateOf(k.specOf(known)), k.stateOf(&want)) {
		case older:
			if !k.adds(known, want) {
				return Stale, nil
			}
		case same:
			if k.isSame(known, want) {
				return Duplicate, nil
			}
		}
	}
	uid, exists, err := horizon(ctx, m, k, want, at)
	if err != nil {
		return "", err
	}
	if !exists {
		return Expired, nil
	}
	return settle(ctx, m, k, want, known, uid)
}

// horizon holds an event from beyond the retention to what exists, since the tombstone that would refuse it may be gone: the apply then
// carries the object's uid, which makes the API server refuse to create it.
func horizon[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, at time.Time) (uid *types.UID, exists bool, err error) {
	if m.Now().Sub(at) <= m.TombstoneRetention {
		return nil, true, nil
	}
	name := k.nameOf(&want)
	live := k.empty()
	err = m.Live.Get(ctx, types.NamespacedName{Name: name}, live)
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for %s: %w", name, err)
	}
	return new(live.GetUID()), true, nil
}

// maxReads bounds how often what is known is read again for one event: it is once, unless somebody else writes at the same moment.
const maxReads = 5

// settle applies what is wanted. Where that depends on what was before, and the cache did not know it, that is read from the API server.
func settle[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, known *O, uid *types.UID) (Outcome, error) {
	name := k.nameOf(&want)
	put := func(known *O) (Outcome, error) {
		outcome, err := m.put(ctx, k.entity(want, known), uid)
		if k.join != nil && err == nil && outcome == Stale {
			return "", errUnknownHistory // what the API server has is newer than what is known: does this add to it?
		}
		return outcome, err
	}
	outcome, err := put(known)
	for range maxReads {
		if !errors.Is(err, errUnknownHistory) {
			break
		}
		object := k.empty()
		if err := m.Live.Get(ctx, types.NamespacedName{Name: name}, object); err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		live := any(object).(*O)
		if k.join != nil && !k.adds(live, want) {
			return Stale, nil
		}
		outcome, err = put(live)
	}
	if err != nil {
		return "", fmt.Errorf("apply %s: %w", name, err)
	}
	return outcome, nil
}

// put applies an entity.
func (m *Mirror) put(ctx context.Context, e entity, uid *types.UID) (Outcome, error) {
	outcome, err := m.apply(ctx, e, uid)
	if _, rejected := errors.AsType[*RejectedError](err); rejected || outcome == Applied && !e.isExact() {
		replaced := outcome
		replaceErr := retry.RetryOnConflict(retry.DefaultBackoff, func() (err error) {
			replaced, err = m.replace(ctx, e, uid)
			return err
		})
		if !apierrors.IsNotFound(replaceErr) {
			outcome, err = replaced, replaceErr
		}
	}
	return outcome, err
}

func (m *Mirror) apply(ctx context.Context, e entity, uid *types.UID) (Outcome, error) {
	configuration, err := json.Marshal(e.configuration(uid))
	if err != nil {
		return "", &RejectedError{Reason: "the event cannot be written as JSON"}
	}
	e.stored.SetName(e.name)
	return judge(m.Client.Patch(ctx, e.stored, client.RawPatch(types.ApplyPatchType, configuration), FieldOwner, client.ForceOwnership))
}

// replace makes the spec what is wanted where an apply does not: an apply leaves in place what somebody else has written too, a restored
// backup or an edit by hand. Left there, it could keep a permission alive, or have a deletion refused. The rules of the kinds hold as ever.
func (m *Mirror) replace(ctx context.Context, e entity, uid *types.UID) (Outcome, error) {
	live := e.empty()
	if err := m.Live.Get(ctx, types.NamespacedName{Name: e.name}, live); err != nil {
		return "", err
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
		{"op": "replace", "path": "/spec", "value": e.spec},
	})
	if err != nil {
		return "", err
	}
	outcome, err := judge(m.Client.Patch(ctx, live, client.RawPatch(types.JSONPatchType, patch), FieldOwner))
	if err != nil || outcome != Applied {
		return outcome, err
	}
	return m.apply(ctx, e, uid) // for the labels, and to own the fields again
}

// known is what the cache holds of an entity; nil if nothing. News from another ClerkInstance than the entity's is refused, also where it
// would change nothing: its secret gives no say over the organization and its members.
func known[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, options ...client.GetOption) (*O, error) {
	object := k.empty()
	found, err := read(ctx, m.Client, k.nameOf(&want), object, options...)
	if err != nil || !found {
		return nil, err
	}
	known := any(object).(*O)
	return known, k.stateOf(k.specOf(known)).check(k.stateOf(&want).identity)
}

// read reads an object from the cache, and tells whether it is there.
func read(
	ctx context.Context, reader client.Reader, name string, object client.Object, options ...client.GetOption,
) (bool, error) {
	err := reader.Get(ctx, types.NamespacedName{Name: name}, object, options...)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s from the cache: %w", name, err)
	}
	return true, nil
}

// age says how news relates to what is known.
type age int

const (
	older age = iota
	same
	newer
)

// progress compares the times of what is wanted with those known. Deletion is final and wins over any time of update.
func progress(known, want state) age {
	switch {
	case known.deletedAt != nil && want.deletedAt != nil:
		return same
	case known.deletedAt != nil:
		return older
	case want.deletedAt != nil || known.updatedAt == nil:
		return newer
	case want.updatedAt.Before(known.updatedAt):
		return older
	case want.updatedAt.Equal(known.updatedAt):
		return same
	}
	return newer
}
