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
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestRecentWrites(t *testing.T) {
	t.Parallel()
	binding := func(version string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "clerk:admin", UID: "binding", ResourceVersion: version}}
	}
	for _, test := range []struct {
		name    string
		happens func(*recentWrites)
		cached  []*rbacv1.RoleBinding
		want    string // the version that is taken for the latest, "" where there is none
		pending bool
	}{
		{"the cache has yet to see it", func(r *recentWrites) { r.put("acme", binding("20")) }, nil, "20", true},
		{"the cache is behind", func(r *recentWrites) { r.put("acme", binding("20")) }, []*rbacv1.RoleBinding{binding("9")}, "20", true},
		{"the cache shows it", func(r *recentWrites) { r.put("acme", binding("20")) }, []*rbacv1.RoleBinding{binding("20")}, "20", false},
		{"the cache lost it since", func(r *recentWrites) {
			r.put("acme", binding("20"))
			r.lose(binding("21"))
		}, nil, "", false},
		{"the cache lost it before", func(r *recentWrites) {
			r.put("acme", binding("20"))
			r.lose(binding("19"))
		}, nil, "20", true},
		{"another organization's", func(r *recentWrites) { r.put("other", binding("20")) }, nil, "", false},
		{"it is gone", func(r *recentWrites) { r.remove("acme", "binding") }, []*rbacv1.RoleBinding{binding("20")}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			writes := &recentWrites{now: time.Now}
			test.happens(writes)
			got := ""
			for _, object := range latest(writes, "acme", test.cached) {
				got = object.ResourceVersion
			}
			if got != test.want {
				t.Errorf("the latest is %q, want %q", got, test.want)
			}
			if pending := writes.pending("acme"); (pending > 0) != test.pending || pending > 2*recentFor {
				t.Errorf("it is looked at again in %s, want it: %t", pending, test.pending)
			}
		})
	}
}

// What the cache missed, as a watch that was begun anew may, is looked at again when the write is remembered no more.
func TestAWriteThatTheCacheNeverShowsIsForgotten(t *testing.T) {
	t.Parallel()
	now := time.Now()
	writes := &recentWrites{now: func() time.Time { return now }}
	writes.put("acme", &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{UID: "binding", ResourceVersion: "20"}})
	now = now.Add(writes.pending("acme"))
	if left := latest[client.Object](writes, "acme", nil); len(left) > 0 {
		t.Errorf("%v is still taken for the latest", left)
	}
	if pending := writes.pending("acme"); pending != 0 {
		t.Errorf("it is looked at again in %s, want never", pending)
	}
}

func TestAnObjectIsOwnAsLongAsNobodyElseWroteIt(t *testing.T) {
	t.Parallel()
	object := func(uid types.UID, version string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{UID: uid, ResourceVersion: version}}
	}
	writes := &recentWrites{now: time.Now}
	writes.put("acme", object("written", "20"))
	writes.remove("acme", "removed")
	for name, test := range map[string]struct {
		object *rbacv1.RoleBinding
		want   bool
	}{
		"as it was written":          {object("written", "20"), true},
		"somebody wrote it since":    {object("written", "21"), false},
		"it is older than the write": {object("written", "19"), false},
		"it was removed":             {object("removed", "20"), false},
		"it was never written":       {object("other", "20"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := writes.isOwn(test.object); got != test.want {
				t.Errorf("it is own: %t, want %t", got, test.want)
			}
		})
	}
}

func TestWhoFindsNoSparePlaceDoesWithout(t *testing.T) {
	t.Parallel()
	places := make(spare, 3)
	first, giveBack := places.take(2)
	second, giveBackToo := places.take(2)
	third, _ := places.take(2)
	if first != 2 || second != 1 || third != 0 {
		t.Errorf("got %d, %d and %d of 3 places, want 2, 1 and 0", first, second, third)
	}
	giveBack()
	giveBackToo()
	if all, _ := places.take(5); all != 3 {
		t.Errorf("%d places are left, want 3", all)
	}
}
