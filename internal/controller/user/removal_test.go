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

package user

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/horizon"
)

// Where no users are wanted, what keeps somebody out is kept as long as somebody could get in without it, and nobody personal at all.
func TestWhoIsKeptOutIsKeptAlsoWhereNoUsersAreWanted(t *testing.T) {
	const retention = 7 * 24 * time.Hour
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	changed := new(metav1.NewMicroTime(made))
	banned := v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{UpdatedAt: changed}, Banned: new(true)}
	later := horizon.Orphaned(retention, made)
	tests := map[string]struct {
		reason              string
		spec                v1alpha1.ClerkUserSpec
		isMember, wasMember bool
		want                time.Time
	}{
		"banned, a member":     {"the membership may not know", banned, true, true, time.Time{}},
		"banned, no member":    {"one may come late", banned, false, false, later},
		"deleted, a member":    {"the membership may not know", v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{DeletedAt: changed}}, true, true, time.Time{}},
		"deleted, no member":   {"as any tombstone", v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{DeletedAt: changed}}, false, false, later},
		"let in, a member":     {"the ban may be sent again", v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{UpdatedAt: changed}}, true, true, time.Time{}},
		"let in, no member":    {"the ban may be sent again", v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{UpdatedAt: changed}}, false, false, later},
		"personal, and let in": {"nobody wants it", v1alpha1.ClerkUserSpec{Entity: v1alpha1.Entity{UpdatedAt: changed}, Username: "ines"}, true, true, made},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			user := &v1alpha1.ClerkUser{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(made)}, Spec: tc.spec}
			facts := facts{user: user, mode: v1alpha1.UsersNone, isMember: tc.isMember, wasMember: tc.wasMember}
			if got := facts.removalDue(retention, made); !got.Equal(tc.want) {
				t.Errorf("%s: due %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}
