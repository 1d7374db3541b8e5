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
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// clusterGrantFlag tells the operator which ClusterRoles it may give in the whole cluster.
const clusterGrantFlag = "--cluster-grant-roles"

// allowance is what is known of the ClusterRoles that the operator may give in the whole cluster.
type allowance struct {
	// byStatus is what the statuses of ClusterGrants say of their ClusterRoles. isOff: that the operator carries out none.
	byStatus map[string]bool
	isOff    bool

	// byFlag are those that the operator's Deployment names; isFlagKnown, whether the caller may see one.
	byFlag      []string
	isFlagKnown bool
}

// allowanceOf finds out which ClusterRoles the operator may give. What it says itself counts before what it is told.
func allowanceOf(ctx context.Context, cluster client.Reader, s *snapshot, operatorNamespace string) (*allowance, error) {
	found := &allowance{byStatus: map[string]bool{}}
	for _, grant := range all[v1alpha1.ClusterGrant](s) {
		found.read(grant)
	}
	var deployments appsv1.DeploymentList
	err := cluster.List(ctx, &deployments, operatorLabel, client.InNamespace(operatorNamespace))
	switch {
	case apierrors.IsForbidden(err):
		return found, nil
	case err != nil:
		return nil, fmt.Errorf("look for the operator's Deployment: %w", err)
	}
	for i := range deployments.Items {
		found.isFlagKnown = true
		found.byFlag = append(found.byFlag, flagOf(&deployments.Items[i])...)
	}
	return found, nil
}

// read reads what the status of a ClusterGrant says of its ClusterRole. The operator asks first whether it may give that.
func (a *allowance) read(grant *v1alpha1.ClusterGrant) {
	_, reason := condition.IsReady(grant.Status.Conditions)
	switch {
	case reason == "" || grant.Status.ObservedGeneration != grant.Generation || reason == v1alpha1.ReasonForbidden:
	case reason == v1alpha1.ReasonDisabled:
		a.isOff = true
	default:
		a.byStatus[grant.Spec.ClusterRole] = reason != v1alpha1.ReasonClusterRoleNotAllowed
	}
}

// flagOf are the ClusterRoles that a Deployment of the operator names.
func flagOf(deployment *appsv1.Deployment) []string {
	var names []string
	for _, container := range deployment.Spec.Template.Spec.Containers {
		args := slices.Concat(container.Command, container.Args)
		for i, arg := range args {
			value, isFlag := strings.CutPrefix(arg, clusterGrantFlag+"=")
			if arg == clusterGrantFlag && i+1 < len(args) {
				value, isFlag = args[i+1], true
			}
			if isFlag {
				names = append(names, strings.Split(value, ",")...)
			}
		}
	}
	return names
}

// of is a ClusterRole as one of those that the operator may give, nothing if it is none. Where that is not known, it is taken for one.
func (a *allowance) of(clusterRole string) (allowed []string, isKnown bool) {
	may, isKnown := a.byStatus[clusterRole]
	switch {
	case a.isOff:
		may, isKnown = false, true
	case !isKnown && a.isFlagKnown:
		may, isKnown = slices.Contains(a.byFlag, clusterRole), true
	case !isKnown:
		may = true
	}
	if !may {
		return nil, isKnown
	}
	return []string{clusterRole}, isKnown
}
