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

package clustergrant

import (
	"errors"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// refusal turns the API server's answer to a write into a problem.
func refusal(err error, doing string) tenant.Problem {
	found := tenant.Problem{Stalled: true, Retry: true}
	line, _, _ := strings.Cut(err.Error(), "\n") // without the list of rules that RBAC appends to its refusals
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant RBAC permissions"):
		found.Reason = v1alpha1.ReasonBindForbidden
		found.Message = doing + ": the operator may not bind this ClusterRole: name it in the chart's clusterGrants.clusterRoles, or grant the " +
			"operator's ServiceAccount the verb bind on it"
	case apierrors.IsForbidden(err):
		found.Reason = v1alpha1.ReasonForbidden
		found.Message = fmt.Sprintf("%s: the operator's permissions, or a guard, do not let it: install those of this version with the same "+
			"ClusterRoles: %s", doing, line)
	case isMissingClusterRole(err):
		found.Reason = v1alpha1.ReasonClusterRoleNotFound
		found.Message = doing + ": the ClusterRole does not exist: create it, or change spec.clusterRole"
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		found.Reason = v1alpha1.ReasonRejected
		found.Message = fmt.Sprintf("%s: the API server refuses it: correct the ClusterGrant: %s", doing, line)
	default:
		found.Reason, found.Stalled = v1alpha1.ReasonProgressing, false
		found.Message = fmt.Sprintf("%s failed and is tried again: %s", doing, line)
	}
	return found
}

// isMissingClusterRole tells whether what the API server did not find is a ClusterRole to bind.
func isMissingClusterRole(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil &&
		status.Status().Details.Group == rbacv1.GroupName && strings.HasPrefix(status.Status().Details.Kind, "clusterroles")
}
