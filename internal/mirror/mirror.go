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
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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
		return m.organization(ctx, organizationSpec(instance, data), event.Time)
	case *clerk.OrganizationDeleted:
		return m.organization(ctx, organizationTombstone(instance, data, event.Time), event.Time)
	case *clerk.Membership:
		return m.membership(ctx, instance, data, event.Time)
	case *clerk.MembershipDeleted:
		return m.member(ctx, memberTombstone(instance, data, event.Time), event.Time)
	default:
		return Ignored, nil
	}
}

// membership applies the organization that the membership carries first, where that is not mirrored yet or older. So the
// order in which Clerk's events for the two arrive does not matter.
func (m *Mirror) membership(ctx context.Context, instance string, data *clerk.Membership, at time.Time) (Outcome, error) {
	organization := organizationSpec(instance, &data.Organization)
	known, err := m.knownOrganization(ctx, organization)
	if err != nil {
		return "", err
	}
	if known == nil || progress(known.Spec.UpdatedAt, known.Spec.DeletedAt, organization.UpdatedAt, nil) == newer {
		if _, err := m.organization(ctx, organization, at); err != nil {
			return "", err
		}
	}
	return m.member(ctx, memberSpec(instance, data), at)
}

func (m *Mirror) organization(ctx context.Context, want v1alpha1.ClerkOrganizationSpec, at time.Time) (Outcome, error) {
	known, err := m.knownOrganization(ctx, want)
	if err != nil {
		return "", err
	}
	if known != nil {
		switch progress(known.Spec.UpdatedAt, known.Spec.DeletedAt, want.UpdatedAt, want.DeletedAt) {
		case older:
			return Stale, nil
		case same:
			if sameOrganization(known, want) {
				return Duplicate, nil
			}
		}
	}
	stored := &v1alpha1.ClerkOrganization{}
	return m.put(ctx, at, entity{
		name:          v1alpha1.ObjectName(want.ID),
		empty:         func() client.Object { return &v1alpha1.ClerkOrganization{} },
		stored:        stored,
		configuration: func(uid *types.UID) runtime.ApplyConfiguration { return organizationConfiguration(want, uid) },
		spec:          want,
		isExact:       func() bool { return isExactOrganization(stored.Spec, want) },
	})
}

func (m *Mirror) member(ctx context.Context, want v1alpha1.ClerkMemberSpec, at time.Time) (Outcome, error) {
	known, err := m.knownMember(ctx, want)
	if err != nil {
		return "", err
	}
	if known != nil {
		switch progress(known.Spec.UpdatedAt, known.Spec.DeletedAt, want.UpdatedAt, want.DeletedAt) {
		case older:
			return Stale, nil
		case same:
			if sameMember(known, want) {
				return Duplicate, nil
			}
		}
		if want.DeletedAt != nil {
			want = keepIDs(want, known.Spec)
		}
	}
	stored := &v1alpha1.ClerkMember{}
	return m.put(ctx, at, entity{
		name:          v1alpha1.ObjectName(want.ID),
		empty:         func() client.Object { return &v1alpha1.ClerkMember{} },
		stored:        stored,
		configuration: func(uid *types.UID) runtime.ApplyConfiguration { return memberConfiguration(want, uid) },
		spec:          want,
		isExact:       func() bool { return isExactMember(stored.Spec, want) },
	})
}

// entity is an object to be put into the API server.
type entity struct {
	name          string
	empty         func() client.Object
	configuration func(uid *types.UID) runtime.ApplyConfiguration
	spec          any

	// stored receives what the API server holds; isExact tells whether that is the spec that is wanted and nothing more.
	stored  client.Object
	isExact func() bool
}

// put applies an entity. An event from beyond the retention may only change what exists, since the tombstone that would refuse
// it may be gone: the apply then carries the object's uid, which makes the API server refuse to create it.
func (m *Mirror) put(ctx context.Context, at time.Time, e entity) (Outcome, error) {
	var uid *types.UID
	if m.Now().Sub(at) > m.TombstoneRetention {
		live := e.empty()
		err := m.Live.Get(ctx, types.NamespacedName{Name: e.name}, live)
		if apierrors.IsNotFound(err) {
			return Expired, nil
		}
		if err != nil {
			return "", fmt.Errorf("look for %s: %w", e.name, err)
		}
		uid = new(live.GetUID())
	}
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
	if err != nil {
		return "", fmt.Errorf("apply %s: %w", e.name, err)
	}
	return outcome, nil
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

// knownOrganization is what the cache holds of an organization; nil if nothing. News from another ClerkInstance than the
// organization's is refused, also where it would change nothing: its secret gives no say over the organization and its members.
func (m *Mirror) knownOrganization(ctx context.Context, want v1alpha1.ClerkOrganizationSpec) (*v1alpha1.ClerkOrganization, error) {
	known, err := cached[v1alpha1.ClerkOrganization](ctx, m.Client, want.ID)
	if err != nil || known == nil {
		return nil, err
	}
	return known, identity{known.Spec.Instance, known.Spec.ID}.check(identity{want.Instance, want.ID})
}

// knownMember is knownOrganization for a member.
func (m *Mirror) knownMember(ctx context.Context, want v1alpha1.ClerkMemberSpec) (*v1alpha1.ClerkMember, error) {
	known, err := cached[v1alpha1.ClerkMember](ctx, m.Client, want.ID)
	if err != nil || known == nil {
		return nil, err
	}
	return known, identity{known.Spec.Instance, known.Spec.ID}.check(identity{want.Instance, want.ID})
}

// cached returns what the cache holds for a Clerk id; nil if nothing.
func cached[T any, P interface {
	*T
	client.Object
}](ctx context.Context, reader client.Reader, id string) (*T, error) {
	object := P(new(T))
	err := reader.Get(ctx, types.NamespacedName{Name: v1alpha1.ObjectName(id)}, object)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nothing is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("read %s from the cache: %w", v1alpha1.ObjectName(id), err)
	}
	return (*T)(object), nil
}

// age says how news relates to what is known.
type age int

const (
	older age = iota
	same
	newer
)

// progress compares the times of what is wanted with those known. Deletion is final and wins over any time of update.
func progress(knownUpdate, knownDeletion, wantUpdate, wantDeletion *metav1.MicroTime) age {
	switch {
	case knownDeletion != nil && wantDeletion != nil:
		return same
	case knownDeletion != nil:
		return older
	case wantDeletion != nil || knownUpdate == nil:
		return newer
	case wantUpdate.Before(knownUpdate):
		return older
	case wantUpdate.Equal(knownUpdate):
		return same
	}
	return newer
}
