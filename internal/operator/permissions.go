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

package operator

import (
	"context"
	"errors"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/config/rbac"
	"github.com/clerk-operator/clerk-operator/internal/permission"
)

// checkTimeout bounds how long a start waits for the answer: it takes milliseconds.
const checkTimeout = 10 * time.Second

// checkPermissions says in the log which of the permissions of config/rbac the operator was not given. It goes on all the same: what it
// still may do, such as taking access away, matters more. Which ClusterRoles it may bind, each TenantClass says of itself.
func checkPermissions(ctx context.Context, c client.Client, namespace string) {
	logger := ctrl.Log.WithName("setup")
	everywhere, own, err := permission.Required(rbac.Roles)
	if err != nil {
		logger.Error(err, "cannot tell which permissions are needed")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for where, rules := range map[string][]rbacv1.PolicyRule{"": everywhere, namespace: own} {
		missing, err := permission.Missing(ctx, c, where, rules)
		switch {
		case err != nil:
			logger.Error(err, "cannot tell whether the operator has the permissions that it needs")
		case len(missing) > 0 && where == "":
			logger.Error(errors.New("permissions are missing"), "give the operator's ServiceAccount the ClusterRole of this version",
				"missing", permission.Describe(missing))
		case len(missing) > 0:
			logger.Error(errors.New("permissions are missing"), "give the operator's ServiceAccount the Role of this version",
				"namespace", where, "missing", permission.Describe(missing))
		}
	}
}
