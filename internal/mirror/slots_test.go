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
	"slices"
	"testing"
	"testing/synctest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestWhatIsNewMayTakeAccessAwayToo(t *testing.T) {
	banned := v1alpha1.ClerkUserSpec{Banned: new(true)}
	tombstone := v1alpha1.ClerkMemberSpec{Entity: v1alpha1.Entity{DeletedAt: new(metav1.NowMicro())}}
	for what, takes := range map[string]bool{
		"a user who is banned":             users.mayTakeWhenNew(banned),
		"a membership that has ended":      members.mayTakeWhenNew(tombstone),
		"a role of which nothing is known": roles.mayTakeWhenNew(v1alpha1.ClerkRoleSpec{}),
		"a permission":                     permissions.mayTakeWhenNew(v1alpha1.ClerkPermissionSpec{}),
	} {
		if !takes {
			t.Errorf("%s waits for those who join", what)
		}
	}
	if users.mayTakeWhenNew(v1alpha1.ClerkUserSpec{}) || members.mayTakeWhenNew(v1alpha1.ClerkMemberSpec{}) {
		t.Error("who joins goes ahead of who leaves")
	}
}

// Only while what a resync found is being written, it is said so: statuses wait for that.
func TestItIsSaidWhenAResyncWrites(t *testing.T) {
	begun, ended := 0, 0
	m := New(Options{BeginListed: func() func() {
		begun++
		return func() { ended++ }
	}})
	for of, want := range map[rank]int{revoking: 0, heard: 0, listed: 1} {
		begun, ended = 0, 0
		giveBack, err := m.take(t.Context(), of)
		if err != nil || begun != want || ended != 0 {
			t.Errorf("rank %d: begun %d times, want %d; ended %d times (%v)", of, begun, want, ended, err)
		}
		giveBack()
		if ended != want || m.writes.taken != 0 {
			t.Errorf("rank %d: ended %d times, want %d; %d writes are under way", of, ended, want, m.writes.taken)
		}
	}
}

func TestRevocationsAreWrittenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var places slots
		busy := make([]func(), writesAtATime)
		for i := range busy {
			var err error
			if busy[i], err = places.take(t.Context(), listed); err != nil {
				t.Fatal(err)
			}
		}
		var order []rank
		for _, of := range []rank{listed, heard, revoking, heard, revoking, listed} {
			go func() {
				giveBack, err := places.take(t.Context(), of)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, of)
				giveBack()
			}()
			synctest.Wait()
		}
		busy[0]()
		synctest.Wait()
		if want := []rank{revoking, revoking, heard, heard, listed, listed}; !slices.Equal(order, want) {
			t.Errorf("written in the order %v, want %v", order, want)
		}
		for _, giveBack := range busy[1:] {
			giveBack()
		}
		if places.taken != 0 {
			t.Errorf("%d places are taken when nobody writes", places.taken)
		}
	})
}

func TestWhoGivesUpWaitingHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var places slots
		busy := make([]func(), writesAtATime)
		for i := range busy {
			busy[i], _ = places.take(t.Context(), heard)
		}
		impatient, giveUp := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := places.take(impatient, revoking)
			failed <- err
		}()
		synctest.Wait()
		giveUp()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		for _, giveBack := range busy {
			giveBack()
		}
		if places.taken != 0 {
			t.Errorf("%d places are taken when nobody writes", places.taken)
		}
	})
}
