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
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// maxToldFinalizers is how many finalizers a message names. A person may add any number.
const maxToldFinalizers = 3

// reportHeld reports that RoleBindings are still there although they are deleted. They name nobody any more.
func (e *enforcement) reportHeld(ctx context.Context) {
	for _, namespace := range slices.Sorted(maps.Keys(e.intent.Bindings)) {
		for _, binding := range e.intent.Bindings[namespace].Held {
			e.problems.Add(tenant.Problem{
				Reason: v1alpha1.ReasonRoleBindingHeld, Stalled: true,
				Message: fmt.Sprintf("the RoleBinding %s/%s is deleted and gives nobody access, but %s: take that off: "+
					"kubectl patch rolebinding -n %s %s --type=merge -p '{\"metadata\":{\"finalizers\":null}}'",
					namespace, binding.Name, e.heldBy(ctx, binding), namespace, binding.Name),
			})
			return // one at a time: each costs a request
		}
	}
}

// heldBy says which finalizers keep an object, and who put them there as far as can be seen. The cache does not hold that.
func (e *enforcement) heldBy(ctx context.Context, binding *rbacv1.RoleBinding) string {
	var live rbacv1.RoleBinding
	if err := e.Live.Get(ctx, client.ObjectKeyFromObject(binding), &live); err != nil {
		live = *binding
	}
	told := live.Finalizers[:min(len(live.Finalizers), maxToldFinalizers)]
	text := "the finalizer " + strings.Join(told, ", ") + " keeps it"
	if managers := managersOfFinalizers(live.ManagedFields); len(managers) > 0 {
		text += fmt.Sprintf(" (set by the field manager %s)", strings.Join(managers, ", "))
	}
	return text
}

// managersOfFinalizers are the field managers that set any finalizer.
func managersOfFinalizers(fields []metav1.ManagedFieldsEntry) []string {
	var managers []string
	for _, entry := range fields {
		var set struct {
			Metadata struct {
				Finalizers json.RawMessage `json:"f:finalizers"`
			} `json:"f:metadata"`
		}
		if entry.FieldsV1 != nil && json.Unmarshal(entry.FieldsV1.GetRawBytes(), &set) == nil && len(set.Metadata.Finalizers) > 0 {
			managers = append(managers, entry.Manager)
		}
	}
	slices.Sort(managers)
	managers = slices.Compact(managers)
	return managers[:min(len(managers), maxToldFinalizers)]
}

// takeFromOrphaned takes away the RoleBindings of a ClerkOrganization that somebody deleted by hand. Garbage collection deletes them, but a
// finalizer would keep them, and what they give.
func (r *Reconciler) takeFromOrphaned(ctx context.Context, name string) error {
	list, err := cached.Items[rbacv1.RoleBindingList](ctx, r.Client, cached.ByOwner, name)
	if err != nil || len(list.Items) == 0 {
		return err
	}
	// The cache may have yet to see the organization.
	err = r.Live.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.ClerkOrganization{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	gone := &v1alpha1.ClerkOrganization{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
	defer r.recent.forget(gone.UID)
	e := r.enforce(false, &r.alarms)
	e.situation, e.intent = &tenant.Situation{Organization: gone}, tenant.PlanRemoval(cached.Pointers(list.Items))
	e.revoke(ctx)
	return retryErrors(e.problems)
}
