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

package operatorproc_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const day = 24 * time.Hour

// Somebody left 20 days ago. Tombstones were kept for 7 days, so theirs is gone when they are kept for 30 from now on.
func TestARaisedRetentionBringsNobodyBackAndALoweredOneHoldsAtOnce(t *testing.T) {
	secret, err := operatorproc.Install(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	administrator, err := operatorproc.NewClient(cluster)
	if err != nil {
		t.Fatal(err)
	}
	writeHorizon(t, administrator, 7*day)
	left := joined(20 * day)
	makeTombstone(t, administrator, left, time.Now().Add(-20*day))

	withRetention(t, 7*day, func(*operatorproc.Operator) {
		await(t, func() error {
			if err := administrator.Get(t.Context(), keyOf(left), &v1alpha1.ClerkMember{}); !apierrors.IsNotFound(err) {
				return fmt.Errorf("the tombstone is still there: %w", errors.Join(err))
			}
			return nil
		})
	})
	withRetention(t, 30*day, func(operator *operatorproc.Operator) {
		waitForHorizon(t, administrator, 30*day)
		sender := operator.Sender(operatorproc.Instance, secret)
		deliver(t, administrator, sender, left, false)
		deliver(t, administrator, sender, joined(6*day), true)
	})
	raised := horizonOf(t, administrator)
	if age := time.Since(raised.Floor.Time); age < 6*day || age > 7*day {
		t.Errorf("the floor is of %v ago, want it where 7 days had it", age)
	}
	withRetention(t, 2*day, func(operator *operatorproc.Operator) {
		lowered := waitForHorizon(t, administrator, 2*day)
		if lowered.Floor != raised.Floor {
			t.Errorf("the floor went from %v to %v", raised.Floor, lowered.Floor)
		}
		sender := operator.Sender(operatorproc.Instance, secret)
		deliver(t, administrator, sender, joined(6*day), false)
		deliver(t, administrator, sender, joined(day), true)
	})
	before := horizonOf(t, administrator)
	withRetention(t, 2*day, func(operator *operatorproc.Operator) {
		deliver(t, administrator, operator.Sender(operatorproc.Instance, secret), joined(time.Hour), true)
		if after := horizonOf(t, administrator); after != before {
			t.Errorf("a start that changes nothing wrote %+v, before it was %+v", after, before)
		}
	})
}

func withRetention(t *testing.T, retention time.Duration, do func(*operatorproc.Operator)) {
	t.Helper()
	operator, err := operatorproc.Start(t.Context(), cluster, operatorproc.Options{
		LogDir: t.TempDir(), Args: []string{"--tombstone-retention=" + retention.String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := operator.Stop(); err != nil {
			t.Error(err)
		}
	}()
	do(operator)
}

// joined is a membership of an organization of its own, as it was that long ago.
func joined(ago time.Duration) clerktest.Membership {
	at := time.Now().Add(-ago)
	return clerktest.Membership{
		ID: clerktest.RandomID("orgmem"), Role: "org:member", UpdatedAt: at,
		Organization: clerktest.Organization{ID: clerktest.RandomID("org"), UpdatedAt: at},
		User:         clerktest.User{ID: clerktest.RandomID("user"), UpdatedAt: at},
	}
}

func keyOf(m clerktest.Membership) client.ObjectKey {
	return client.ObjectKey{Name: v1alpha1.ObjectName(operatorproc.Instance, m.ID)}
}

func deliver(t *testing.T, administrator client.Client, sender clerktest.Sender, m clerktest.Membership, isMade bool) {
	t.Helper()
	status, answer, err := sender.Deliver(t.Context(), clerktest.RandomID("msg"), clerktest.MembershipCreated(m))
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("got %d %q, %v", status, answer, err)
	}
	err = administrator.Get(t.Context(), keyOf(m), &v1alpha1.ClerkMember{})
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if (err == nil) != isMade {
		t.Errorf("who joined %v ago is mirrored: %t, want %t", time.Since(m.UpdatedAt).Round(time.Minute), err == nil, isMade)
	}
}

// makeTombstone makes what is left of a membership.
func makeTombstone(t *testing.T, administrator client.Client, m clerktest.Membership, at time.Time) {
	t.Helper()
	err := administrator.Create(t.Context(), &v1alpha1.ClerkMember{
		ObjectMeta: metav1.ObjectMeta{Name: keyOf(m).Name},
		Spec: v1alpha1.ClerkMemberSpec{
			Entity:         v1alpha1.Entity{Instance: operatorproc.Instance, ID: m.ID, DeletedAt: new(metav1.NewMicroTime(at))},
			OrganizationID: m.Organization.ID,
			UserID:         m.User.ID,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// writeHorizon lets tombstones have been kept that long for months.
func writeHorizon(t *testing.T, administrator client.Client, retention time.Duration) {
	t.Helper()
	instance := &v1alpha1.ClerkInstance{}
	if err := administrator.Get(t.Context(), client.ObjectKey{Name: operatorproc.Instance}, instance); err != nil {
		t.Fatal(err)
	}
	patch := client.MergeFrom(instance.DeepCopy())
	long := metav1.NewTime(time.Now().Add(-100 * day))
	instance.Status.Horizon = v1alpha1.TombstoneHorizon{}
	if err := administrator.Status().Patch(t.Context(), instance, patch); err != nil {
		t.Fatal(err)
	}
	patch = client.MergeFrom(instance.DeepCopy())
	instance.Status.Horizon = v1alpha1.TombstoneHorizon{RetentionSeconds: int64(retention.Seconds()), Floor: long, ChangedAt: long}
	if err := administrator.Status().Patch(t.Context(), instance, patch); err != nil {
		t.Fatal(err)
	}
}

func horizonOf(t *testing.T, administrator client.Client) v1alpha1.TombstoneHorizon {
	t.Helper()
	instance := &v1alpha1.ClerkInstance{}
	if err := administrator.Get(t.Context(), client.ObjectKey{Name: operatorproc.Instance}, instance); err != nil {
		t.Fatal(err)
	}
	return instance.Status.Horizon
}

func waitForHorizon(t *testing.T, administrator client.Client, retention time.Duration) (horizon v1alpha1.TombstoneHorizon) {
	t.Helper()
	await(t, func() error {
		if horizon = horizonOf(t, administrator); horizon.RetentionSeconds != int64(retention.Seconds()) {
			return fmt.Errorf("tombstones are kept for %d s", horizon.RetentionSeconds)
		}
		return nil
	})
	return horizon
}
