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
	"context"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/controller/write"
)

// takeOut has a RoleBinding name only those who are kept. It goes as a whole where nobody is left, and where the operator may not bind its
// role: then the API server lets it take nobody out.
func (s *sweeper) takeOut(ctx context.Context, binding *rbacv1.RoleBinding, kept []rbacv1.Subject) (deleted bool, err error) {
	err = s.patchUnchanged(ctx, binding, map[string]any{"subjects": kept})
	if err == nil && len(kept) > 0 || err != nil && !mayNotBind(err) {
		return false, client.IgnoreNotFound(err)
	}
	if err != nil && len(binding.Finalizers) > 0 { // they would keep it, and RBAC honours it as long as it is there
		if err := s.patchUnchanged(ctx, binding, map[string]any{"metadata": map[string]any{"finalizers": nil}}); err != nil {
			return true, client.IgnoreNotFound(err)
		}
	}
	if binding.DeletionTimestamp != nil {
		return true, nil
	}
	return true, client.IgnoreNotFound(write.DeleteUnchanged(ctx, s.Client, binding))
}

// mayNotBind tells whether RBAC itself refused a change of a RoleBinding, since the operator may not bind its role. Somebody's policy may
// refuse it too: what that keeps is not the operator's to delete.
func mayNotBind(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant RBAC permissions not currently held")
}
