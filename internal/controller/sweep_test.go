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

package controller_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// While a RoleBinding that lets somebody in cannot be changed, ServiceAccounts are made again once, not with each try; and once more when it
// could be, since that person may have had their tokens.
func TestServiceAccountsAreMadeAgainOnceNobodyIsLetIn(t *testing.T) {
	t.Parallel()
	tn := newTenancy(t, derivedAccess(v1alpha1.DerivedAccessCapped), func(class *v1alpha1.TenantClass) {
		class.Spec.ServiceAccounts = v1alpha1.ServiceAccountsRecycled
	})
	organization := tn.createOrganization()
	jane := tn.join("org:admin")
	namespace := tn.namespace()
	wantSubjects(t, namespace, "admin", subjectOf(jane))
	stuck := bindingTo(namespace, "stuck", userNamed(subjectOf(jane)), userNamed("friend"))
	robot := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "robot"}}
	must(t, cluster.Create(t.Context(), stuck))
	must(t, cluster.Create(t.Context(), robot))
	letGo := refuseChangesOf(t, stuck)
	loseAccess(t, tn, jane)

	made := eventuallyAgain(t, robot, robot.UID)
	wantCondition(t, organization, v1alpha1.ConditionDerivedAccessRemoved, metav1.ConditionFalse, v1alpha1.ReasonNotRemoved)
	must(t, cluster.Create(t.Context(), bindingTo(namespace, "late", userNamed(subjectOf(jane))))) // shows that there was another try
	wantRemovedSince(t, organization, "RoleBindings deleted: 1,")
	if have := get(t, &corev1.ServiceAccount{}, namespace, "robot"); have.UID != made {
		t.Error("it was made again with another try")
	}
	letGo()
	wantCondition(t, organization, v1alpha1.ConditionDerivedAccessRemoved, metav1.ConditionTrue, v1alpha1.ReasonRemoved)
	if have := get(t, &rbacv1.RoleBinding{}, namespace, "stuck"); slices.Contains(have.Subjects, userNamed(subjectOf(jane))) {
		t.Errorf("it names %v", have.Subjects)
	}
	eventuallyAgain(t, robot, made)
	eventually(t, "tokens again", func(ctx context.Context) error {
		var have corev1.Namespace
		err := cluster.Get(ctx, client.ObjectKey{Name: namespace}, &have)
		if _, refuses := have.Labels[v1alpha1.RecyclingLabel]; err == nil && refuses {
			err = errors.New("it refuses them")
		}
		return err
	})
}

// eventuallyAgain waits until a ServiceAccount is another one, and returns its uid.
func eventuallyAgain(t *testing.T, account *corev1.ServiceAccount, before types.UID) types.UID {
	t.Helper()
	var again corev1.ServiceAccount
	eventually(t, "another ServiceAccount of that name", func(ctx context.Context) error {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(account), &again)
		if err == nil && again.UID == before {
			err = errors.New("it is the same")
		}
		return err
	})
	return again.UID
}

// refuseChangesOf has the API server refuse every change of a RoleBinding, until the function that it returns is called.
func refuseChangesOf(t *testing.T, binding *rbacv1.RoleBinding) (letGo func()) {
	t.Helper()
	named := metav1.ObjectMeta{Name: "refuse-" + binding.Namespace}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Update, admissionv1.Delete},
				Rule: admissionv1.Rule{
					APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"rolebindings"},
				},
			},
		}}},
		MatchConditions: []admissionv1.MatchCondition{{
			Name: "it", Expression: fmt.Sprintf("request.namespace == %q && request.name == %q", binding.Namespace, binding.Name),
		}},
		Validations: []admissionv1.Validation{{Expression: "false"}},
	}}
	bound := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: named, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: named.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
	}}
	must(t, cluster.Create(t.Context(), policy))
	must(t, cluster.Create(t.Context(), bound))
	letGo = func() {
		if err := errors.Join(client.IgnoreNotFound(cluster.Delete(context.Background(), bound)),
			client.IgnoreNotFound(cluster.Delete(context.Background(), policy))); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(letGo)
	eventually(t, "changes are refused", func(ctx context.Context) error {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.com/try":""}}}`))
		err := cluster.Patch(ctx, binding.DeepCopy(), patch, client.DryRunAll)
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("not refused: %w", cmp.Or(err, errors.New("it was changed")))
	})
	return letGo
}
