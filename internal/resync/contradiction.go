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

package resync

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// contradiction is a tombstone of something that Clerk lists, and that was made well before the list was asked for.
type contradiction struct {
	mirrored
	kind *kind
}

// contradictions are those that a resync came upon. Nothing is done about them: a deletion is believed for good, since a late event could
// undo it otherwise. But one that was forged, or made by the key of another environment, keeps people out, and so it is told.
type contradictions struct {
	found []contradiction
}

func (c *contradictions) add(k *kind, tombstone mirrored, listed clerk.Data) {
	if membership, ok := listed.(*clerk.Membership); ok { // of which the tombstone may not know all
		tombstone.organizationID, tombstone.userID = membership.Organization.ID, membership.User.ID
	}
	c.found = append(c.found, contradiction{tombstone, k})
}

func (c *contradictions) count() int { return len(c.found) }

// name is the same for the same tombstones, and for no others: one that was made anew is another.
func (c *contradictions) name() string {
	lines := make([]string, len(c.found))
	for i, one := range c.found {
		lines[i] = one.kind.name + "/" + one.id + "/" + string(one.uid)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}

// ids are the Clerk ids of the first few, in order.
func (c *contradictions) ids(most int) []string {
	var ids []string
	for _, one := range c.found {
		ids = append(ids, one.id)
	}
	slices.Sort(ids)
	return ids[:min(most, len(ids))]
}

func (c *contradictions) message(instance string) string {
	if c.count() == 0 {
		return ""
	}
	return fmt.Sprintf("Clerk lists %d that are deleted here, so whoever has access by them is kept out: %s; if Clerk is right: "+
		"kubectl annotate --overwrite clerkinstance %s %s=%s",
		c.count(), strings.Join(c.ids(maxToldIDs), ", "), instance, v1alpha1.ReleaseContradictionAnnotation, c.name())
}

// release takes away exactly those tombstones that an administrator has named, and tells whether everything has to be listed anew, so that
// what Clerk lists is mirrored. What is made then has the times of that list: older news does not undo it, and a later deletion does.
func (r *run) release(ctx context.Context) (bool, error) {
	if err := r.confirm(ctx); err != nil || r.contradictions.count() == 0 {
		return false, err
	}
	if r.instance.Annotations[v1alpha1.ReleaseContradictionAnnotation] != r.contradictions.name() {
		return false, nil
	}
	for i, one := range r.contradictions.found {
		if err := r.stillWanted(ctx); err != nil {
			return false, err
		}
		if i >= maxConfirmed { // which nobody has looked at yet
			exists, looked, err := r.look(ctx, one.kind, one.mirrored)
			if err != nil {
				return false, err
			}
			if !exists || !looked {
				continue
			}
		}
		if err := r.removeTombstone(ctx, one); err != nil {
			return false, err
		}
	}
	return true, nil
}

// confirm looks again at what contradicts: a list may lag behind a deletion. Where there are very many, the first are looked at, and the
// list is believed for the others.
func (r *run) confirm(ctx context.Context) error {
	found := r.contradictions.found
	slices.SortStableFunc(found, func(a, b contradiction) int { return cmp.Compare(a.id, b.id) })
	confirmed := found[:0:0]
	failures := 0
	for i, one := range found {
		if i < maxConfirmed && failures < maxFailedLooks {
			exists, looked, err := r.look(ctx, one.kind, one.mirrored)
			if err != nil {
				return err
			}
			if !looked {
				failures++
				r.notes.unseen.add(one.id)
			}
			if !exists || !looked {
				continue
			}
		}
		confirmed = append(confirmed, one)
	}
	r.contradictions.found = confirmed
	return nil
}

// removeTombstone deletes a tombstone, that very one, and waits until nothing here remembers it.
func (r *run) removeTombstone(ctx context.Context, one contradiction) error {
	object := one.kind.empty()
	object.SetName(one.name)
	err := r.Client.Delete(ctx, object, client.Preconditions{UID: &one.uid})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete the tombstone %s %s: %w", one.kind.name, one.name, err)
	}
	return wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, forgetTimeout, true, func(ctx context.Context) (bool, error) {
		object := one.kind.empty()
		err := r.Client.Get(ctx, client.ObjectKey{Name: one.name}, object)
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return object.GetUID() != one.uid, err
	})
}
