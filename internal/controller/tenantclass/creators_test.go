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

package tenantclass

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissionregistrationv1beta1 "k8s.io/api/admissionregistration/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

// older is an API server that has MutatingAdmissionPolicies of other versions than v1, or none, as before Kubernetes 1.36.
func older(t *testing.T, more ...string) client.Client {
	t.Helper()
	settings := append([]string{
		"admissionregistration.k8s.io/v1/mutatingadmissionpolicies=false",
		"admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings=false",
	}, more...)
	plane, err := controlplane.Start(t.Context(), controlplane.Options{
		ControllerManager:  controlplane.WithoutControllerManager,
		ExtraAPIServerArgs: []string{"--feature-gates=MutatingAdmissionPolicy=false", "--runtime-config=" + strings.Join(settings, ",")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	return withMapper(t, plane.Config())
}

// withMapper is a client that finds out about kinds as the operator's does.
func withMapper(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.New(config, client.Options{HTTPClient: http, Mapper: mapper, Scheme: clientgoscheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// said is what a class says that wants it recorded who makes what.
func said(t *testing.T, cluster client.Client) metav1.Condition {
	t.Helper()
	asked := creators{live: cluster, mapper: cluster.RESTMapper(), policy: "clerk-operator-creators"}
	class := &v1alpha1.TenantClass{}
	if found, _, err := asked.condition(t.Context(), class); err != nil || found != nil {
		t.Errorf("a class that does not ask for it: %v (%v)", found, err)
	}
	class.Spec.Creators = v1alpha1.CreatorsRecorded
	found, again, err := asked.condition(t.Context(), class)
	if err != nil {
		t.Fatal(err)
	}
	if again <= 0 {
		t.Error("it is not looked at again")
	}
	return *found
}

func want(t *testing.T, found metav1.Condition, status metav1.ConditionStatus, reason string) {
	t.Helper()
	if found.Status != status || found.Reason != reason {
		t.Errorf("got %s (%s), want %s (%s)", found.Status, found.Reason, status, reason)
	}
}

func TestWithoutTheKindNobodyRecordsWhoMakesWhat(t *testing.T) {
	t.Parallel()
	want(t, said(t, older(t)), metav1.ConditionFalse, v1alpha1.ReasonNotServed)
}

func TestThePolicyIsLookedForInTheVersionThatThereIs(t *testing.T) {
	t.Parallel()
	cluster := older(t, admissionregistrationv1beta1.SchemeGroupVersion.String()+"=true")
	want(t, said(t, cluster), metav1.ConditionFalse, v1alpha1.ReasonPolicyNotFound)
	meta := metav1.ObjectMeta{Name: "clerk-operator-creators"}
	policy := &admissionregistrationv1beta1.MutatingAdmissionPolicy{ObjectMeta: meta}
	policy.Spec = admissionregistrationv1beta1.MutatingAdmissionPolicySpec{
		ReinvocationPolicy: admissionregistrationv1.IfNeededReinvocationPolicy,
		MatchConstraints: &admissionregistrationv1beta1.MatchResources{ResourceRules: []admissionregistrationv1beta1.NamedRuleWithOperations{{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}}}},
		Mutations: []admissionregistrationv1beta1.Mutation{{
			PatchType: admissionregistrationv1beta1.PatchTypeJSONPatch, JSONPatch: &admissionregistrationv1beta1.JSONPatch{
				Expression: `[JSONPatch{op: "test", path: "/kind", value: "Pod"}]`}}},
	}
	if err := cluster.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	want(t, said(t, cluster), metav1.ConditionFalse, v1alpha1.ReasonPolicyNotFound) // nothing puts it into force
	binding := &admissionregistrationv1beta1.MutatingAdmissionPolicyBinding{ObjectMeta: meta,
		Spec: admissionregistrationv1beta1.MutatingAdmissionPolicyBindingSpec{PolicyName: meta.Name}}
	if err := cluster.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	want(t, said(t, cluster), metav1.ConditionTrue, v1alpha1.ReasonRecorded)
}
