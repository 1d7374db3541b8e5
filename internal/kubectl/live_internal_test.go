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

package kubectl

import (
	"errors"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestWhatIsNotShownAsItIsIsSaid(t *testing.T) {
	const (
		loginAgain = "The API server does not accept your credentials (401), which may have expired: log in again, and if this stays, start " +
			"kubectl clerk ui again. "
		ask = "You may not list clerkusers.clerk-operator.io: ask for the ClusterRole clerk-operator-viewer."
	)
	forbidden := apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no"))
	unauthorized := apierrors.NewUnauthorized("no")
	busy := apierrors.NewTooManyRequestsError("later")
	unanswered := &url.Error{Op: "Get", URL: "https://127.0.0.1", Err: errors.New("connection refused")}
	for name, test := range map[string]struct {
		// users is how it stands with ClerkUsers, and roles with ClerkRoles.
		users, roles liveKind
		want         gaps
	}{
		"all is well":    {liveKind{isListed: true}, liveKind{isListed: true}, gaps{}},
		"not listed yet": {liveKind{}, liveKind{isListed: true}, gaps{loading: []string{"clerkusers.clerk-operator.io"}}},
		"may not list": {liveKind{listError: forbidden}, liveKind{isListed: true}, gaps{
			notes: []string{ask + " What it says is left out."},
		}},
		"may list no more": {liveKind{isListed: true, listError: forbidden}, liveKind{isListed: true}, gaps{
			stale: []string{ask + " It was shown before, and is left out now."},
		}},
		"may not watch": {liveKind{isListed: true, watchError: forbidden}, liveKind{isListed: true}, gaps{
			notes: []string{"You may not watch clerkusers.clerk-operator.io: changes of these show after half a minute or so."}, isLate: true,
		}},
		"an error of the API server's": {liveKind{isListed: true, listError: busy}, liveKind{isListed: true}, gaps{
			stale: []string{"List clerkusers.clerk-operator.io: Too many requests: later. What is shown of it is from before."},
		}},
		"the token has expired": {liveKind{isListed: true, watchError: unauthorized}, liveKind{listError: unauthorized}, gaps{
			stale: []string{loginAgain + "Nothing is shown as it is now."},
		}},
		"the token has expired, as one kind knows": {liveKind{isListed: true, watchError: unauthorized}, liveKind{isListed: true}, gaps{
			stale: []string{loginAgain + "None of clerkusers.clerk-operator.io is shown as it is now."},
		}},
		"no answer, to both": {liveKind{isListed: true, watchError: unanswered}, liveKind{isListed: true, listError: unanswered}, gaps{
			stale: []string{"The API server does not answer. What is shown is what it said last."},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &live{kinds: map[string]*liveKind{}}
			test.users.listing, test.roles.listing = listing{list: &v1alpha1.ClerkUserList{}}, listing{list: &v1alpha1.ClerkRoleList{}}
			for _, kind := range []*liveKind{&test.users, &test.roles} {
				l.kinds[resourceOf(kind.listing.list)] = kind
			}
			have := l.gaps()
			for what, pair := range map[string][2][]string{
				"stale": {have.stale, test.want.stale}, "notes": {have.notes, test.want.notes}, "loading": {have.loading, test.want.loading},
			} {
				if !slices.Equal(pair[0], pair[1]) {
					t.Errorf("%s: %s", what, cmp.Diff(pair[1], pair[0]))
				}
			}
			if have.isLate != test.want.isLate {
				t.Errorf("late: %t", have.isLate)
			}
		})
	}
}
