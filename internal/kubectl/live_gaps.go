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
	"fmt"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// gaps is what is not shown, or not as it changes, and why.
type gaps struct {
	// stale says what was shown as it changed and is no longer, and what to do.
	stale []string

	// notes say what is left out, or shown late.
	notes []string

	// isLate: some changes show late.
	isLate bool

	// loading are the kinds that have not been listed yet.
	loading []string
}

func (l *live) gaps() gaps {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	found := gaps{}
	var refused []string
	for resource, kind := range l.kinds {
		switch {
		case resource == clusterRoleBindings && l.hasNone(clusterGrants):
			// nothing is missing
		case isUnanswered(kind.listError) || isUnanswered(kind.watchError):
			found.stale = append(found.stale, "The API server does not answer. What is shown is what it said last.")
		case apierrors.IsUnauthorized(kind.listError) || apierrors.IsUnauthorized(kind.watchError):
			refused = append(refused, resource)
		case kind.listError != nil:
			kind.addRefusal(&found)
		case apierrors.IsForbidden(kind.watchError):
			found.notes = append(found.notes, fmt.Sprintf("You may not watch %s: changes of these show after half a minute or so.", resource))
			found.isLate = true
		case !kind.isListed:
			found.loading = append(found.loading, resource)
		}
	}
	if len(refused) > 0 {
		found.stale = append(found.stale, l.unauthenticated(refused))
	}
	for _, texts := range []*[]string{&found.stale, &found.notes, &found.loading} {
		slices.Sort(*texts)
		*texts = slices.Compact(*texts)
	}
	return found
}

// hasNone tells whether it is known that there is no object of a kind.
func (l *live) hasNone(resource string) bool {
	kind := l.kinds[resource]
	return isUnknownKind(kind.listError) || kind.listError == nil && kind.isListed && len(kind.informer.GetStore().ListKeys()) == 0
}

// unauthenticated says that the API server no longer knows who asks for some kinds.
func (l *live) unauthenticated(resources []string) string {
	slices.Sort(resources)
	what := "Nothing"
	if len(resources) < len(l.kinds) {
		what = "None of " + strings.Join(resources, ", ")
	}
	return "The API server does not accept your credentials (401), which may have expired: log in again, and if this stays, start " +
		"kubectl clerk ui again. " + what + " is shown as it is now."
}

// addRefusal says that the API server refuses to list the kind: for the first time, or after it was shown.
func (k *liveKind) addRefusal(found *gaps) {
	why := sentence(explainList(k.listError, k.listing.list))
	switch isForbidden := apierrors.IsForbidden(k.listError); {
	case !k.isListed:
		found.notes = append(found.notes, why+" What it says is left out.")
	case isForbidden:
		found.stale = append(found.stale, why+" It was shown before, and is left out now.")
	default:
		found.stale = append(found.stale, why+" What is shown of it is from before.")
	}
}

// sentence makes one of an error.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// isUnanswered tells whether the API server did not answer at all, which may pass.
func isUnanswered(err error) bool {
	_, is := errors.AsType[*url.Error](err)
	return is
}
