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
	"errors"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Outcome is what became of an event that needs no further attempt.
type Outcome string

const (
	// Applied: the API server holds what the event says.
	Applied Outcome = "applied"

	// Duplicate: the API server held it already; nothing was asked of it.
	Duplicate Outcome = "duplicate"

	// Stale: the API server holds something newer, or knows that the entity is deleted.
	Stale Outcome = "stale"

	// Expired: the event is older than tombstones are kept, and what it speaks of does not exist: it may not create it.
	Expired Outcome = "expired"

	// Ignored: the event says nothing that is mirrored.
	Ignored Outcome = "ignored"
)

// RejectedError says that an event can never be applied as it is. Any other error is worth another attempt.
type RejectedError struct {
	// Reason says what is wrong, without any value of the event.
	Reason string
}

// Error implements error.
func (e *RejectedError) Error() string { return e.Reason }

// checkIdentity refuses news of anything else than what is known. The API server would, by the rules of the kinds, but it is not asked
// about what is old.
func checkIdentity(known, news *v1alpha1.Entity) error {
	if known.ID != news.ID {
		return &RejectedError{Reason: "spec.id: another object has this name: the ids differ in case alone"}
	}
	if known.Instance != news.Instance {
		return &RejectedError{Reason: "spec.instance: the object belongs to another ClerkInstance: send the event to that one's endpoint"}
	}
	return nil
}

// judge turns the answer of the API server to a write into an outcome.
func judge(err error) (Outcome, error) {
	switch {
	case err == nil:
		return Applied, nil
	case apierrors.IsRequestEntityTooLargeError(err):
		return "", &RejectedError{Reason: "the object is too large for the API server: make its public metadata smaller"}
	case !apierrors.IsInvalid(err):
		return "", err
	}
	causes := causesOf(err)
	if allOf(causes, historyFields) {
		return "", errOutdated
	}
	if allOf(causes, staleFields) {
		return Stale, nil
	}
	return "", &RejectedError{Reason: describe(causes)}
}

func causesOf(err error) []metav1.StatusCause {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

var (
	// historyFields are those whose transition rules refuse what lacks something of what was before.
	historyFields = []string{"spec.keys", "spec.keysDropped", "spec.createdAt"}

	// staleFields are those whose transition rules refuse what is old. What is old may lack something of what was before as well.
	staleFields = append([]string{"spec.updatedAt", "spec.asOf", "spec.deletedAt"}, historyFields...)
)

// allOf tells whether transition rules on some fields are all that refused the object. They alone use this reason.
func allOf(causes []metav1.StatusCause, fields []string) bool {
	for _, cause := range causes {
		if cause.Type != metav1.CauseTypeForbidden || !slices.Contains(fields, cause.Field) {
			return false
		}
	}
	return len(causes) > 0
}

// quoted finds values that the API server quotes in its messages: they may be personal data.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

func describe(causes []metav1.StatusCause) string {
	if len(causes) == 0 {
		return "the API server refuses the object"
	}
	parts := make([]string, len(causes))
	for i, cause := range causes {
		parts[i] = cause.Field + ": " + quoted.ReplaceAllString(cause.Message, "…")
	}
	return "the API server refuses the object: " + strings.Join(parts, "; ")
}
