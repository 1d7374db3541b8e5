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

package controller

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// problem is what keeps an organization from being as it should be.
type problem struct {
	// reason is one of the reasons of package v1alpha1.
	reason string

	// message says what is wrong and what to do.
	message string

	// stalled: nothing changes until somebody acts.
	stalled bool

	// err makes the reconciliation run again, later and later; nil where an event of the cluster will cause it to.
	err error
}

// problems of one organization: one does not keep the others from being found.
type problems []problem

func (p *problems) add(found problem) { *p = append(*p, found) }

// errs is what is worth another attempt.
func (p problems) errs() error {
	var errs []error
	for _, found := range p {
		errs = append(errs, found.err)
	}
	return errors.Join(errs...)
}

// message puts all problems into a sentence each.
func (p problems) message() string {
	texts := make([]string, len(p))
	for i, found := range p {
		texts[i] = found.message
	}
	return strings.Join(texts, "; ")
}

// first is the problem to name in the condition's reason: one that waits for somebody, before one that passes.
func (p problems) first() problem {
	for _, found := range p {
		if found.stalled {
			return found
		}
	}
	return p[0]
}

// retryError has a reconciliation run again. It is logged, so it says no more than why: what the API server answers may name a namespace,
// which may have a person's name.
type retryError struct{ reason string }

// Error implements error.
func (e *retryError) Error() string {
	return e.reason + ": the condition Ready of the ClerkOrganization says more"
}

// refusal turns the API server's answer to a write into a problem.
func refusal(err error, doing string) problem {
	found := refusalOf(err, doing)
	found.err = &retryError{found.reason}
	return found
}

func refusalOf(err error, doing string) problem {
	found := problem{stalled: true}
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		found.reason, found.stalled = v1alpha1.ReasonNamespaceTerminating, false
		found.message = doing + ": the namespace is being deleted; it is made again when it is gone"
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		found.reason = v1alpha1.ReasonQuotaExceeded
		found.message = fmt.Sprintf("%s: a quota of the namespace leaves no room: raise it: %s", doing, firstSentence(err))
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant RBAC permissions"):
		found.reason = v1alpha1.ReasonBindForbidden
		found.message = fmt.Sprintf("%s: the operator may not bind this ClusterRole: "+
			"grant its ServiceAccount the verb bind on it (clusterroles.rbac.authorization.k8s.io)", doing)
	case apierrors.IsForbidden(err):
		found.reason = v1alpha1.ReasonForbidden
		found.message = fmt.Sprintf("%s: the operator's permissions do not cover it: install its current ClusterRole: %s",
			doing, firstSentence(err))
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		found.reason = v1alpha1.ReasonRejected
		found.message = fmt.Sprintf("%s: the API server refuses it: correct the TenantClass: %s", doing, firstSentence(err))
	default:
		found.reason, found.stalled = v1alpha1.ReasonProgressing, false
		found.message = fmt.Sprintf("%s failed and is tried again: %s", doing, firstSentence(err))
	}
	return found
}

// bindRefusal is refusal for a RoleBinding: the API server looks for the ClusterRole too, unless the operator may bind it unseen.
func bindRefusal(err error, clusterRole, doing string) problem {
	found := refusal(err, doing)
	if isMissingClusterRole(err, clusterRole) {
		found.reason, found.stalled, found.err = v1alpha1.ReasonClusterRoleNotFound, true, &retryError{v1alpha1.ReasonClusterRoleNotFound}
		found.message = fmt.Sprintf("%s: the ClusterRole does not exist: create it, or change the TenantClass", doing)
	}
	return found
}

// isMissingClusterRole tells whether what the API server did not find is the ClusterRole to bind.
func isMissingClusterRole(err error, clusterRole string) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) &&
		status.Status().Details != nil && status.Status().Details.Name == clusterRole
}

// firstSentence leaves out the list of rules that RBAC appends to its refusals.
func firstSentence(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
