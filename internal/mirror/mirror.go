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

// Package mirror writes what Clerk says into the API server: one event, one write per entity, with no read
// first, no lock and no memory of deliveries. What is stale, the API server refuses by the rules of the kinds themselves.
package mirror

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// FieldOwner is the field manager of what Clerk says.
const FieldOwner = client.FieldOwner("clerk-operator-mirror")

// Options are what a Mirror works with.
type Options struct {
	// Client writes. Its reads come from the cache: what the cache already holds spares the API server.
	Client client.Client

	// Live reads from the API server itself.
	Live client.Reader

	// TombstoneRetention is how long this replica keeps tombstones. An event that is older may change an object but not create one; which
	// one is, the ClerkInstance's status may put stricter.
	TombstoneRetention time.Duration

	// Now is the clock.
	Now func() time.Time

	// BeginListed is told when what a resync found is being written, until the function that it returns is called. It may be nil.
	BeginListed func() (end func())
}

// Mirror writes events into the API server.
type Mirror struct {
	Options

	writes slots
}

// New returns a Mirror.
func New(options Options) *Mirror {
	return &Mirror{Options: options}
}

// telling is how something was heard.
type telling struct {
	// at is when Clerk said it.
	at time.Time

	// isListed: it was read from a list, which confirms what it does not change.
	isListed bool

	// isCarried: it is what news of something else tells by the way. News of its own with the same time of update knows better.
	isCarried bool

	// mayCreate: it may create something, whatever its age.
	mayCreate bool
}

// Apply writes what an event of a ClerkInstance says. An error other than a RejectedError is worth another attempt.
func (m *Mirror) Apply(ctx context.Context, instance string, event *clerk.Event) (Outcome, error) {
	outcome, err := m.apply(ctx, instance, event.Data, telling{at: event.Time, isListed: event.IsListed})
	if err == nil && outcome == Applied {
		countDropped(event.Data)
	}
	return outcome, err
}

func (m *Mirror) apply(ctx context.Context, instance string, data clerk.Data, told telling) (Outcome, error) {
	switch data := data.(type) {
	case *clerk.Organization:
		return put(ctx, m, organizations, organizationSpec(instance, data), told)
	case *clerk.OrganizationDeleted:
		return put(ctx, m, organizations, organizationTombstone(instance, data, told.at), told)
	case *clerk.Membership:
		return m.membership(ctx, instance, data, told)
	case *clerk.MembershipDeleted:
		return put(ctx, m, members, memberTombstone(instance, data, told.at), told)
	case *clerk.User:
		return m.user(ctx, userSpec(instance, data), told)
	case *clerk.UserDeleted:
		return m.user(ctx, userTombstone(instance, data, told.at), told)
	case *clerk.Role:
		return put(ctx, m, roles, roleSpec(instance, data), told)
	case *clerk.RoleDeleted:
		return put(ctx, m, roles, roleTombstone(instance, data, told.at), told)
	case *clerk.Permission:
		return put(ctx, m, permissions, permissionSpec(instance, data), told)
	case *clerk.PermissionDeleted:
		return put(ctx, m, permissions, permissionTombstone(instance, data, told.at), told)
	case *clerk.SubscriptionItem:
		return m.subscriptionItem(ctx, subscriptionItemSpec(instance, data), data.IsOfUser, told)
	case *clerk.SubscriptionItemEnded:
		return m.subscriptionItem(ctx, subscriptionItemTombstone(instance, data), data.IsOfUser, told)
	case *clerk.Subscription:
		return m.subscription(ctx, instance, data, told)
	default:
		return m.domain(ctx, instance, data, told)
	}
}

// countDropped counts what could not be kept of something that was written.
func countDropped(data clerk.Data) {
	kind, fields := "", []string(nil)
	switch data := data.(type) {
	case *clerk.Organization:
		kind, fields = v1alpha1.KindOrganization, data.Dropped
	case *clerk.Membership:
		kind, fields = v1alpha1.KindMember, data.Dropped
	case *clerk.User:
		kind, fields = v1alpha1.KindUser, data.Dropped
	case *clerk.Role:
		kind, fields = v1alpha1.KindRole, data.Dropped
	case *clerk.Permission:
		kind, fields = v1alpha1.KindPermission, data.Dropped
	case *clerk.SubscriptionItem:
		kind, fields = v1alpha1.KindSubscriptionItem, data.Dropped
	case *clerk.OrganizationDomain:
		kind, fields = v1alpha1.KindDomain, data.Dropped
	}
	for _, field := range fields {
		metrics.DroppedFields.WithLabelValues(kind, field).Inc()
	}
}

// compare is what becomes of news of something that the cache knows; "" if it is to be written.
func compare[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want *S, known *O, told telling) (Outcome, error) {
	before, news := k.entityOfKnown(known), k.entityOf(want)
	isStale := isOlder(before, news)
	switch {
	case isStale && k.adds(known, *want):
		return "", nil
	case isStale && (k.join != nil || progress(before, news) == older):
		return Stale, nil
	case progress(before, news) == newer:
		return "", nil
	}
	if k.isSame(known, *want) {
		return compareSame(k, want, known, told), nil
	}
	if isStale || !isLater(news.AsOf, before.AsOf) && k.letsIn(known, *want) {
		return Stale, nil // of two that were said at the very same time, the one that keeps somebody out stays
	}
	isOld, err := m.isConfirmedSince(ctx, any(known).(client.Object), before, news)
	if isOld && !told.isListed {
		return Stale, err
	}
	return "", err
}

// compareSame is compare for news that says what is known already.
func compareSame[O, S any](k kind[O, S], want *S, known *O, told telling) Outcome {
	before, news := k.entityOfKnown(known), k.entityOf(want)
	saysSo := isLater(news.AsOf, before.AsOf) && !told.isListed
	if !saysSo {
		news.AsOf = before.AsOf
	}
	if !saysSo && k.isLabelled(known, *want) {
		return Duplicate
	}
	return "" // an event that says the same, later: what was said in between is old from now on
}

func isLater(news, known *metav1.MicroTime) bool {
	return news != nil && (known == nil || known.Before(news))
}

// isConfirmedSince tells whether a resync has found something to be as it is known after news of it was sent: it compares everything, and
// writes nothing where it finds no difference.
func (m *Mirror) isConfirmedSince(ctx context.Context, known client.Object, before, news *v1alpha1.Entity) (bool, error) {
	if !isLater(news.AsOf, before.AsOf) {
		return false, nil // the very news that is known
	}
	instance, err := m.instance(ctx, before.Instance)
	at := instance.Status.ConfirmedAt
	return at != nil && news.AsOf.Time.Before(at.Time) && known.GetCreationTimestamp().Time.Before(at.Time), err
}

// instance is a ClerkInstance as the cache knows it; empty if it does not.
func (m *Mirror) instance(ctx context.Context, name string) (*v1alpha1.ClerkInstance, error) {
	instance := &v1alpha1.ClerkInstance{}
	err := m.Client.Get(ctx, types.NamespacedName{Name: name}, instance, client.DisableReadYourWritesConsistency)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read ClerkInstance %s from the cache: %w", name, err)
	}
	return instance, nil
}

// known is what the cache holds of an entity; nil if nothing.
func known[O, S any](ctx context.Context, m *Mirror, k kind[O, S], want S, options ...client.GetOption) (*O, error) {
	known, err := read(ctx, m.Client, k, want, options...)
	if err != nil {
		return nil, fmt.Errorf("read %s from the cache: %w", k.nameOf(&want), err)
	}
	return known, nil
}

// read is what a reader holds of an entity; nil if nothing. News from another ClerkInstance than the entity's is refused, also where it
// would change nothing: its secret gives no say over the organization and its members.
func read[O, S any](ctx context.Context, reader client.Reader, k kind[O, S], want S, options ...client.GetOption) (*O, error) {
	known := new(O)
	err := reader.Get(ctx, types.NamespacedName{Name: k.nameOf(&want)}, any(known).(client.Object), options...)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err == nil {
		err = checkIdentity(k.entityOfKnown(known), k.entityOf(&want))
	}
	return known, err
}

// age says how news relates to what is known.
type age int

const (
	older age = iota
	same
	newer
)

// progress compares the times of update, and of deletion, of what is wanted with those known. Deletion is final and wins over any time of
// update.
func progress(known, want *v1alpha1.Entity) age {
	switch {
	case known.DeletedAt != nil && want.DeletedAt != nil:
		return same
	case known.DeletedAt != nil:
		return older
	case want.DeletedAt != nil || known.UpdatedAt == nil:
		return newer
	case want.UpdatedAt.Before(known.UpdatedAt):
		return older
	case want.UpdatedAt.Equal(known.UpdatedAt):
		return same
	}
	return newer
}

// isOlder tells whether what is wanted is older than what is known, by the times of update or, where these are equal, by when it was said.
func isOlder(known, want *v1alpha1.Entity) bool {
	age := progress(known, want)
	return age == older || age == same && want.DeletedAt == nil && want.AsOf.Before(known.AsOf)
}
