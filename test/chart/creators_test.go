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

package chart_test

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissionregistrationv1beta1 "k8s.io/api/admissionregistration/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// createdBy says in an object who made it.
const createdBy = v1alpha1.CreatedByAnnotation

// recordedNamespace is an organization's. Where isRecorded, it waits until the API server records who makes what there.
func recordedNamespace(t *testing.T, by client.Client, name string, isRecorded bool) {
	t.Helper()
	labels := map[string]string{organizationLabel: "org_" + name}
	if isRecorded {
		labels[v1alpha1.CreatorsLabel] = string(v1alpha1.CreatorsRecorded)
		labels[v1alpha1.DerivedAccessLabel] = string(v1alpha1.DerivedAccessCapped) // the operator makes ServiceAccounts there alone
	}
	if err := by.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		probe := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "probe"}}
		err := cluster.Create(t.Context(), probe, client.DryRunAll)
		if err == nil && isRecorded && probe.Annotations[createdBy] == "" {
			err = errors.New("nobody records who makes what")
		}
		if err != nil {
			return err
		}
		return cluster.Get(t.Context(), client.ObjectKey{Namespace: name, Name: "default"}, probe) // pods need it
	})
}

// recordable are one object of each kind of which it is recorded who made it.
func recordable(namespace, name string, annotations map[string]string) map[string]client.Object {
	meta := func() metav1.ObjectMeta {
		return *(&metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations}).DeepCopy()
	}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: selector.MatchLabels, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}, AutomountServiceAccountToken: new(false)},
	}
	once := batchv1.JobSpec{Template: *template.DeepCopy()}
	once.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	once.Template.Labels = nil
	return map[string]client.Object{
		"a RoleBinding":    &rbacv1.RoleBinding{ObjectMeta: meta(), RoleRef: viewersIn(namespace, name).RoleRef},
		"a ServiceAccount": &corev1.ServiceAccount{ObjectMeta: meta()},
		"a Pod":            &corev1.Pod{ObjectMeta: meta(), Spec: template.Spec},
		"a Deployment":     &appsv1.Deployment{ObjectMeta: meta(), Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}},
		"a StatefulSet":    &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}},
		"a DaemonSet":      &appsv1.DaemonSet{ObjectMeta: meta(), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}},
		"a Job":            &batchv1.Job{ObjectMeta: meta(), Spec: once},
		"a CronJob": &batchv1.CronJob{ObjectMeta: meta(), Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: once}}},
	}
}

func wantCreator(t *testing.T, object client.Object, want string) {
	t.Helper()
	if got := object.GetAnnotations()[createdBy]; got != want {
		t.Errorf("%s was made by %q, want %q", object.GetName(), got, want)
	}
}

func TestTheAPIServerRecordsWhoMadeWhat(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const place, member = "recorded", "clerk:user_recorded"
	recordedNamespace(t, who.operator, place, true)
	asMember := impersonated(t, member)
	forged := map[string]string{createdBy: "clerk:user_innocent", "example.com/note": "a"}
	for kind, object := range recordable(place, "made", forged) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			plain := recordable(place, "plain", nil)[kind]
			if err := errors.Join(asMember.Create(t.Context(), object), asMember.Create(t.Context(), plain)); err != nil {
				t.Fatal(err)
			}
			wantCreator(t, object, member)
			wantCreator(t, plain, member)
			if object.GetAnnotations()["example.com/note"] != "a" {
				t.Errorf("the annotations are %v", object.GetAnnotations())
			}
			for what, patch := range map[string]client.Patch{
				"changed":    merge(`{"metadata":{"annotations":{%q:"clerk:user_innocent"}}}`, createdBy),
				"taken away": merge(`{"metadata":{"annotations":{%q:null}}}`, createdBy),
				"all gone":   merge(`{"metadata":{"annotations":null}}`),
			} {
				for name, by := range map[string]client.Client{"the member": asMember, "an administrator": who.admin} {
					if err := by.Patch(t.Context(), object, patch); err != nil {
						t.Errorf("%s by %s: %v", what, name, err)
					}
					wantCreator(t, object, member)
				}
			}
			repair := merge(`{"metadata":{"annotations":{%q:"repaired"}}}`, createdBy)
			if err := impersonated(t, "repairs", breakGlass).Patch(t.Context(), object, repair); err != nil {
				t.Fatal(err)
			}
			wantCreator(t, object, "repaired")
		})
	}
}

// Whoever makes something is named, whatever they are called, and whoever may say something else.
func TestEverybodyIsRecordedAndTheOperatorMayTellOfOthers(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const place = "recorded-all"
	recordedNamespace(t, who.operator, place, true)
	account := "system:serviceaccount:" + place + ":default"
	long := strings.Repeat("n", 600)
	for name, test := range map[string]struct {
		by   client.Client
		says string
		want string
	}{
		"an administrator":              {who.admin, "somebody", "ordinary-admin"},
		"a ServiceAccount":              {impersonated(t, account, "system:serviceaccounts:"+place), "", account},
		"an odd name":                   {impersonated(t, `a "b" ~1/c`), "", `a "b" ~1/c`},
		"a long name":                   {impersonated(t, long), "", long[:512] + "…"},
		"a group that breaks the glass": {impersonated(t, "restores", breakGlass), "somebody", "somebody"},
		"the same, of its own":          {impersonated(t, "restores", breakGlass), "", "restores"},
		"the operator, of others":       {who.operator, "somebody", "somebody"},
		"the operator, of its own":      {who.operator, "", ""},
		"a controller of the cluster":   {impersonated(t, "system:serviceaccount:kube-system:a"), "somebody", "system:serviceaccount:kube-system:a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: place, Name: "tried"}}
			if test.says != "" {
				object.Annotations = map[string]string{createdBy: test.says}
			}
			if err := test.by.Create(t.Context(), object, client.DryRunAll); err != nil {
				t.Fatal(err)
			}
			wantCreator(t, object, test.want)
		})
	}
}

// Where nothing is recorded, nobody can say beforehand that somebody else made something.
func TestNobodyForgesWhoMadeWhat(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const place, outside, member = "unrecorded", "unrecorded-outside", "clerk:user_unrecorded"
	recordedNamespace(t, who.operator, place, false)
	if err := cluster.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: outside}}); err != nil {
		t.Fatal(err)
	}
	asMember := impersonated(t, member)
	for kind, object := range recordable(place, "forged", map[string]string{createdBy: "clerk:user_innocent"}) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, asMember.Create(t.Context(), object), true)
			own := recordable(place, "own", map[string]string{createdBy: member})[kind]
			wantRefused(t, asMember.Create(t.Context(), own, client.DryRunAll), false)
			free := recordable(place, "free", nil)[kind]
			if err := asMember.Create(t.Context(), free); err != nil {
				t.Fatal(err)
			}
			wantCreator(t, free, "")
			forge := merge(`{"metadata":{"annotations":{%q:%q}}}`, createdBy, member)
			wantRefused(t, asMember.Patch(t.Context(), free, forge), true)
			wantRefused(t, asMember.Patch(t.Context(), free, merge(`{"metadata":{"annotations":{"example.com/note":"a"}}}`)), false)
			switch kind {
			case "a RoleBinding", "a ServiceAccount":
				elsewhere := recordable(outside, "forged", map[string]string{createdBy: "clerk:user_innocent"})[kind]
				wantRefused(t, asMember.Create(t.Context(), elsewhere), true)
			default:
				wantRefused(t, asMember.Status().Patch(t.Context(), free, forge), true)
			}
		})
	}
}

// A Deployment's annotations are its ReplicaSets' too: its controller gets to the end, and its pods are the controller's.
func TestControllersAreNotInTheWayOfTheRecord(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const place, member = "recorded-rollout", "clerk:user_rollout"
	recordedNamespace(t, who.operator, place, true)
	made := recordable(place, "made", nil)["a Deployment"].(*appsv1.Deployment)
	made.Spec.Template.Annotations = map[string]string{createdBy: "clerk:user_innocent"}
	if err := impersonated(t, member).Create(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		var pods corev1.PodList
		if err := cluster.List(t.Context(), &pods, client.InNamespace(place)); err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("%d pods", len(pods.Items))
		}
		switch maker := pods.Items[0].Annotations[createdBy]; maker { // the controller manager is in system:masters here
		case "", member, "clerk:user_innocent":
			t.Errorf("the pod was made by %q", maker)
		}
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(made), made); err != nil {
			return err
		}
		if made.Status.ObservedGeneration != made.Generation || made.Status.Replicas != 1 {
			return fmt.Errorf("the Deployment is at %+v", made.Status)
		}
		return nil
	})
	wantCreator(t, made, member)
}

// The chart has the policy in the version that the API server has, and none where it has no such kind.
func TestTheRecordIsOfTheVersionThatThereIs(t *testing.T) {
	t.Parallel()
	const kind = "/MutatingAdmissionPolicy"
	values := filepath.Join(chart, "ci", "default-values.yaml")
	v1, beta := admissionregistrationv1.SchemeGroupVersion.String(), admissionregistrationv1beta1.SchemeGroupVersion.String()
	for name, test := range map[string]struct {
		args          []string
		v1, v1beta1   int
		alsoByTheName string
	}{
		"none":         {nil, 0, 0, ""},
		"v1":           {[]string{"--api-versions=" + v1 + kind}, 1, 0, ""},
		"v1beta1":      {[]string{"--api-versions=" + beta + kind}, 0, 1, ""},
		"both":         {[]string{"--api-versions=" + beta + kind, "--api-versions=" + v1 + kind}, 1, 0, ""},
		"another name": {[]string{"--api-versions=" + v1 + kind, "--set", "fullnameOverride=other"}, 1, 0, "other"},
		"no guards":    {[]string{"--api-versions=" + v1 + kind, "--set", "admission.enabled=false"}, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := render(t, values, test.args...)
			accepted(t, withoutKindsOf(r, beta))
			have := map[string]int{}
			for _, object := range r.objects {
				if strings.HasPrefix(object.GetKind(), "Mutating") {
					have[object.GetAPIVersion()]++
					if test.alsoByTheName != "" && object.GetName() != test.alsoByTheName+"-creators" {
						t.Errorf("it is called %s", object.GetName())
					}
				}
			}
			if have[v1] != 2*test.v1 || have[beta] != 2*test.v1beta1 {
				t.Errorf("got %v", have)
			}
			policies := 0
			each(t, r, "MutatingAdmissionPolicy", func(p *admissionregistrationv1beta1.MutatingAdmissionPolicy) {
				policies++
				account := ":" + cmp.Or(test.alsoByTheName, release) + "'"
				if condition := p.Spec.MatchConditions[0]; !strings.Contains(condition.Expression, account) {
					t.Errorf("it does not know the operator: %s", condition.Expression)
				}
			})
			if policies != test.v1+test.v1beta1 {
				t.Errorf("%d policies have the fields of v1beta1", policies)
			}
		})
	}
}

// The operator sees whether its policy is there, and reads no other.
func TestTheOperatorSeesItsOwnPolicyAlone(t *testing.T) {
	t.Parallel()
	operator := newActors(t).operator
	for _, object := range []client.Object{
		&admissionregistrationv1.MutatingAdmissionPolicy{}, &admissionregistrationv1.MutatingAdmissionPolicyBinding{},
	} {
		if err := operator.Get(t.Context(), client.ObjectKey{Name: release + "-creators"}, object); err != nil {
			t.Error(err)
		}
		if err := operator.Get(t.Context(), client.ObjectKey{Name: "another"}, object); !apierrors.IsForbidden(err) {
			t.Errorf("another one: %v", err)
		}
	}
}

// withoutKindsOf leaves out what the API server of the test does not have.
func withoutKindsOf(r rendered, apiVersion string) rendered {
	left := rendered{}
	for document := range strings.SplitSeq(r.text, "\n---\n") {
		if !strings.Contains(document, "apiVersion: "+apiVersion) {
			left.text += document + "\n---\n"
		}
	}
	return left
}
