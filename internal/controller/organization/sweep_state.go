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
	"errors"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// sweptKind is what of a namespace is looked at, one after the other.
type sweptKind int

const (
	sweptRoleBindings sweptKind = iota
	sweptSecrets
	sweptServiceAccounts
	sweptKinds
)

// sweep is how far the sweep of an organization is.
type sweep struct {
	// done is for whom, and where, the last whole sweep was; began, the one that is under way, 0 if none is.
	done, began uint64

	// namespace, kind and page are where it goes on.
	namespace string
	kind      sweptKind
	page      string

	// leavers are those whom it is for. They are known no longer once their statuses are written, or their tombstones collected.
	leavers tenant.Subjects

	// formerNames are those of them that members had before, with the names of their ClerkMembers.
	formerNames map[string]string

	// revoked is when the last of them had lost what the operator gave them; zero while somebody has not.
	revoked time.Time

	// open: in this sweep a RoleBinding or a Secret was left out that still lets somebody in. leftMeanwhile: somebody left after it began.
	open, leftMeanwhile bool

	// unsafe: ServiceAccounts made again before that are made again once more, since somebody still had access then; zero for none.
	unsafe time.Time

	// misses is how often in a row something was left out; missed, for whom, and where, while that waits to be tried again.
	misses int
	missed uint64

	// waits is how often the statuses of those who left were waited for; pass, how often the namespace's ServiceAccounts were looked at; made,
	// how many of them were made again in this pass.
	waits, pass, made int

	// found is what this sweep has done so far; reported, what the last one that did anything came to.
	found    tenant.Removal
	reported *tenant.Removal
}

// next is the next kind, or after the last the next namespace.
func (s *sweep) next() {
	s.kind++
	if s.kind == sweptKinds {
		s.namespace += "\x00" // after this one, and before any other
	}
}

// add adds those who left, and tells whether somebody is new. What was known before stays as it is, for who reads it meanwhile.
func (s *sweep) add(leavers, stay tenant.Subjects, formerNames map[string]string) (isNew bool) {
	before := s.leavers
	s.leavers = together(before, leavers, stay)
	all := merged(s.formerNames, formerNames)
	maps.DeleteFunc(all, func(name, _ string) bool { _, left := s.leavers[name]; return !left })
	s.formerNames = all
	for name := range s.leavers {
		if _, isKnown := before[name]; !isKnown {
			return true
		}
	}
	return false
}

// leaveOut leaves out who has come back.
func (s *sweep) leaveOut(stay tenant.Subjects, formerNames map[string]string) {
	s.add(tenant.Subjects{}, stay, formerNames)
}

// sweepKey is for whom and where a sweep is; 0 where none is wanted.
func sweepKey(leavers tenant.Subjects, intent *tenant.Intent) uint64 {
	if len(leavers) == 0 {
		return 0
	}
	return hashOf([]any{slices.Sorted(maps.Keys(leavers)), sweptNamespaces(intent)})
}

func sweptNamespaces(intent *tenant.Intent) []string {
	var names []string
	for _, namespace := range intent.Namespaces {
		names = append(names, namespace.Name)
	}
	slices.Sort(names)
	return names
}

// together are those who left before, and have not come back, and those who left now.
func together(before, now, stay tenant.Subjects) tenant.Subjects {
	all := maps.Clone(now)
	for name := range before {
		if _, stays := stay[name]; !stays {
			all[name] = struct{}{}
		}
	}
	return all
}

// goesOn tells whether an error is that of a list which has become too old, and has the sweep go on after the last page, in a newer state;
// if there is none, from the beginning.
func (s *sweep) goesOn(err error) bool {
	expired := apierrors.APIStatus(nil)
	if !apierrors.IsResourceExpired(err) || !errors.As(err, &expired) {
		return false
	}
	s.page = expired.Status().Continue
	return true
}
