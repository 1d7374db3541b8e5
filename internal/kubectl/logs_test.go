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

package kubectl_test

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// create makes objects, and removes them when the test ends.
func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := cluster.Delete(context.Background(), object, client.GracePeriodSeconds(0)); err != nil {
				t.Error(err)
			}
		})
	}
}

// operatorElsewhere is a Service like the operator's. There is no node here, so no pod of it ever runs.
func operatorElsewhere(t *testing.T) (namespace string) {
	t.Helper()
	labels := map[string]string{"app.kubernetes.io/name": "clerk-operator"}
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "elsewhere-"}}
	create(t, made)
	create(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: made.Name, Name: "clerk-operator", Labels: labels},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Name: "receiver", Port: 8090}}},
	})
	return made.Name
}

// podElsewhere is a pod like the operator's.
func podElsewhere(namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "replica", Labels: map[string]string{"app.kubernetes.io/name": "clerk-operator"}},
		Spec: corev1.PodSpec{NodeName: "nowhere", Containers: []corev1.Container{{
			Name: "clerk-operator", Image: "clerk-operator", Ports: []corev1.ContainerPort{{Name: "receiver", ContainerPort: 8090}},
		}}},
	}
}

// ready has a pod be ready.
func ready(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if err := cluster.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

// allow lets somebody do something in a namespace.
func allow(t *testing.T, namespace, user string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	named := metav1.ObjectMeta{Namespace: namespace, Name: user}
	create(t,
		&rbacv1.Role{ObjectMeta: named, Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: named, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
}

func listOf(resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{"list"}}
}

// What stands in the way is said, and which right is lacking. That logs are printed, followed and merged is shown on a real node, by
// make e2e: here, nothing runs.
func TestLogsSayWhatStandsInTheWay(t *testing.T) {
	for name, test := range map[string]struct{ args, says string }{
		"no operator":       {"logs", "no Service of the operator's can be seen: install the operator, or name its namespace with --operator-namespace\n"},
		"no right at all":   {"logs --as nobody", "you may not list services in the namespace clerk-operator-system: ask for that right\n"},
		"two at once":       {"logs --follow --previous", "leave --follow or --previous out"},
		"a form":            {"logs -o json", "leave -o out"},
		"times to come":     {"logs --since -1m", "--since is how long ago"},
		"fewer than none":   {"logs --tail -2", "--tail is a number of lines"},
		"no argument of it": {"logs default", "unknown command"},
	} {
		if found := run(t, strings.Fields(test.args)...); found.code != 1 || found.out != "" || !strings.Contains(found.errors, test.says) {
			t.Errorf("%s: %+v, want %q", name, found, test.says)
		}
	}
	namespace := operatorElsewhere(t)
	in := " --operator-namespace " + namespace
	allow(t, namespace, "lister", listOf("services"), listOf("pods"))
	allow(t, namespace, "looker", listOf("services"))
	check := func(args, says string) {
		t.Helper()
		if found := run(t, strings.Fields(args+in)...); found.code != 1 || found.out != "" || !strings.Contains(found.errors, says) {
			t.Errorf("%s: %+v, want %q", args, found, says)
		}
	}
	check("logs", "the Service "+namespace+"/clerk-operator has no pods")
	create(t, podElsewhere(namespace))
	check("logs --as looker", "you may not list pods in the namespace "+namespace+": ask for the verb list on pods, and get on pods/log")
	check("logs --as lister", "you may not read the log of the pod "+namespace+"/replica: ask for the verb get on pods/log in that namespace")
	check("logs --as lister --follow", "ask for the verb get on pods/log in that namespace")
	check("logs --previous", "no replica of the operator has restarted")
	check("logs --tail 5", "the log of the pod "+namespace+"/replica cannot be read")
}
