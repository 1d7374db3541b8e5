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
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
)

// mirrored is an object as it was before a listing.
type mirrored struct {
	id      string
	changed time.Time // by Clerk's clock
	deleted time.Time // by Clerk's clock; zero if it stands for something that exists

	name string
	uid  types.UID

	organizationID, userID string // of a member; of a subscription item and a domain the first alone

	// idle: it decides nothing, so that it goes is no danger, and people may make and delete any number.
	idle bool
}

// found is what a listing came to, beside what was mirrored before it.
type found struct {
	kind    *kind
	before  map[string]mirrored
	listing backend.Listing
}

// decisive is how many were mirrored that decide something.
func (f found) decisive() int {
	count := 0
	for _, object := range f.before {
		if !object.idle {
			count++
		}
	}
	return count
}

// areDisjoint tells whether nothing at all of what was mirrored was listed: so lists another environment.
func areDisjoint(kinds []found) bool {
	mirrored := 0
	for _, f := range kinds {
		mirrored += len(f.before)
		for id := range f.before {
			if f.listing.Has(id) {
				return false
			}
		}
	}
	return mirrored > 0
}

// absence is something that is mirrored and was not listed.
type absence struct {
	mirrored
	kind *kind
}

// plan is what a resync would remove.
type plan struct {
	absences []absence

	// tooYoung is how many it may not judge yet.
	tooYoung int

	// why says why it is too much; empty if it is not.
	why string
}

// planOf finds what is absent from lists that were proven complete: of what a gap may hide, nothing is said. What changed just before the
// listing began may be missing because lists lag behind.
func planOf(kinds []found, started time.Time) plan {
	var p plan
	for _, f := range kinds {
		if f.listing.Gap != "" {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(f.before)) {
			switch object := f.before[id]; {
			case f.listing.Has(id):
			case object.changed.After(started.Add(-readLag)):
				p.tooYoung++
			default:
				p.absences = append(p.absences, absence{object, f.kind})
			}
		}
	}
	return p
}

// name is the same for the same objects, and for no others.
func (p plan) name() string {
	ids := make([]string, len(p.absences))
	for i, a := range p.absences {
		ids[i] = a.kind.name + "/" + a.id
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(sum[:8])
}

// ids are the Clerk ids of the first few.
func (p plan) ids(most int) []string {
	var ids []string
	for _, a := range p.absences[:min(most, len(p.absences))] {
		ids = append(ids, a.id)
	}
	return ids
}

// tell names what would be removed, in a sentence.
func (p plan) tell() string {
	counts := map[string]int{}
	for _, a := range p.absences {
		counts[a.kind.name]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	text := strings.Join(parts, ", ") + " (" + strings.Join(p.ids(maxToldIDs), ", ")
	if more := len(p.absences) - maxToldIDs; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + ")"
}

// tooMuch says why a plan would remove too much; "" if it would not. The members of an organization that goes
// count with it: they have no access without it.
func (p plan) tooMuch(kinds []found, bounds v1alpha1.ClerkInstancePrune) string {
	gone, counts := map[string]bool{}, map[string]int{}
	for _, a := range p.absences {
		if a.kind.name == v1alpha1.KindOrganization {
			gone[a.id] = true
		}
	}
	for _, a := range p.absences {
		if !gone[a.organizationID] && !a.idle {
			counts[a.kind.name]++
		}
	}
	for _, f := range kinds {
		if counts[f.kind.name] > allowance(bounds, f.decisive()) {
			return "it would be more than spec.api.prune lets go"
		}
	}
	if len(p.absences) > 0 && areDisjoint(kinds) {
		return "Clerk lists nothing of what is mirrored, as another environment would"
	}
	return ""
}

// allowance is how many of a kind may be removed at once.
func allowance(bounds v1alpha1.ClerkInstancePrune, mirrored int) int {
	most, percent := orDefault(bounds.MaxCount, defaultMaxCount), orDefault(bounds.MaxPercent, defaultMaxPercent)
	return min(most, max(alwaysRemovable, mirrored*percent/100))
}

func orDefault(value *int32, fallback int) int {
	if value == nil {
		return fallback
	}
	return int(*value)
}

// byKind orders organizations first: who knows that one is gone need not ask about its members. Within a kind, those at which the last
// resync could not look come last, so that they never keep the others waiting.
func (p plan) byKind(order []*kind, unseen map[string]bool) []absence {
	of := func(a absence) int {
		if a.kind.name == v1alpha1.KindOrganization {
			return -1
		}
		return slices.Index(order, a.kind)
	}
	rank := func(a absence) int {
		if unseen[a.id] {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(p.absences), func(a, b absence) int {
		return cmp.Or(cmp.Compare(of(a), of(b)), cmp.Compare(rank(a), rank(b)))
	})
}
