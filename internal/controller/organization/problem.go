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
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// refusal turns the API server's answer to a write into a problem.
func refusal(err error, doing string) tenant.Problem {
	found := refusalOf(err, doing)
	found.Retry = true
	return found
}

func refusalOf(err error, doing string) tenant.Problem {
	found := tenant.Problem{Stalled: true}
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		found.Reason, found.Stalled = v1alpha1.ReasonNamespaceTerminating, false
		found.Message = doing + ": the namespace is being deleted; it is made again when it is gone"
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		found.Reason = v1alpha1.ReasonQuotaExceeded
		found.Message = fmt.Sprintf("%s: a quota of the namespace leaves no room: raise it: %s", doing, firstSentence(err))
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant RBAC permissions"):
		found.Reason = v1alpha1.ReasonBindForbidden
		found.Message = fmt.Sprintf("%s: the operator may not bind this ClusterRole: "+
			"grant its ServiceAccount the verb bind on it (clusterroles.rbac.authorization.k8s.io)", doing)
	case apierrors.IsForbidden(err):
		found.Reason = v1alpha1.ReasonForbidden
		found.Message = fmt.Sprintf("%s: the operator's permissions do not cover it: install its current ClusterRole: %s",
			doing, firstSentence(err))
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		found.Reason = v1alpha1.ReasonRejected
		found.Message = fmt.Sprintf("%s: the API server refuses it: correct the TenantClass: %s", doing, firstSentence(err))
	default:
		found.Reason, found.Stalled = v1alpha1.ReasonProgressing, false
		found.Message = fmt.Sprintf("%s failed and is tried again: %s", doing, firstSentence(err))
	}
	return found
}

// bindRefusal is refusal for a RoleBinding: the API server looks for the ClusterRole too, unless the operator may bind it unseen.
func bindRefusal(err error, clusterRole, doing string) tenant.Problem {
	found := refusal(err, doing)
	if isMissingClusterRole(err, clusterRole) {
		found.Reason, found.Stalled = v1alpha1.ReasonClusterRoleNotFound, true
		found.Message = fmt.Sprintf("%s: the ClusterRole does not exist: create it, or change the TenantClass", doing)
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
