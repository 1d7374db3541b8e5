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

package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

var widgets = schema.GroupVersionResource{Group: "controlplane.test", Version: "v1", Resource: "widgets"}

// cluster is the control plane that all tests share which do not need one of their own.
var cluster *ControlPlane

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		childMain()
	}
	logs, err := os.MkdirTemp("", "controlplane-test-")
	if err != nil {
		panic(err)
	}
	options := Options{CRDs: filepath.Join("testdata", "crds"), AuditLog: filepath.Join(logs, "audit.log")}
	began := time.Now()
	code := mainCode(m, options, func(_ context.Context, cp *ControlPlane) error {
		fmt.Printf("control plane ready after %s\n", time.Since(began).Round(time.Millisecond))
		cluster = cp
		return nil
	})
	_ = os.RemoveAll(logs)
	os.Exit(code)
}

func TestADeletedNamespaceGoesAwayWithWhatItHolds(t *testing.T) {
	ctx, client := t.Context(), adminClient(t)
	namespace := makeNamespace(t, "deleted")
	makeConfigMap(t, namespace, "content")

	if err := client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		return wantNotFound(err)
	})
}

func TestOwnedObjectsAreCollected(t *testing.T) {
	namespace := makeNamespace(t, "owned")
	t.Run("by an owner of a built-in kind", func(t *testing.T) {
		owner := makeConfigMap(t, namespace, "owner")
		makeConfigMap(t, namespace, "owned", metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID})
		if err := adminClient(t).CoreV1().ConfigMaps(namespace).Delete(t.Context(), owner.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventuallyNoConfigMap(t, namespace, "owned")
	})
	t.Run("by an owner of a custom kind that was there from the start", func(t *testing.T) {
		owner := makeWidget(t, "owner")
		reference := metav1.OwnerReference{APIVersion: "controlplane.test/v1", Kind: "Widget", Name: owner.GetName(), UID: owner.GetUID()}
		makeConfigMap(t, namespace, "owned-by-widget", reference)
		if err := widgetClient(t).Delete(t.Context(), owner.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventuallyNoConfigMap(t, namespace, "owned-by-widget")
	})
}

func TestAggregatedClusterRolesAreFilled(t *testing.T) {
	eventually(t, func(ctx context.Context) error {
		role, err := adminClient(t).RbacV1().ClusterRoles().Get(ctx, "admin", metav1.GetOptions{})
		if err == nil && len(role.Rules) == 0 {
			err = errors.New("the ClusterRole admin has no rules")
		}
		return err
	})
}

func TestTheAPIServerComesBackWithItsData(t *testing.T) {
	ctx, client := t.Context(), adminClient(t)
	host := cluster.Config().Host
	namespace := makeNamespace(t, "outage")

	cluster.StopAPIServer()
	cluster.StopAPIServer() // Twice is harmless.
	if _, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{}); err == nil || apierrors.IsNotFound(err) {
		t.Errorf("while the API server is away: got %v, want a refused connection", err)
	}
	began := time.Now()
	if err := cluster.StartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("the API server is back after %s", time.Since(began).Round(time.Millisecond))
	if cluster.Config().Host != host {
		t.Errorf("the address changed from %s to %s", host, cluster.Config().Host)
	}
	if err := client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	eventually(t, func(ctx context.Context) error { // The controller manager is back too.
		_, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		return wantNotFound(err)
	})
	t.Logf("the controller manager deletes namespaces again after %s", time.Since(began).Round(time.Millisecond))
}

func TestIdentities(t *testing.T) {
	ctx := t.Context()
	namespace := makeNamespace(t, "identities")
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "operator"}}
	if _, err := adminClient(t).CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	serviceAccount, err := cluster.ServiceAccountConfig(ctx, namespace, "operator")
	if err != nil {
		t.Fatal(err)
	}
	user, err := cluster.UserConfig("clerk:user_1", "testers", "readers")
	if err != nil {
		t.Fatal(err)
	}
	impersonated := cluster.Config()
	impersonated.Impersonate = rest.ImpersonationConfig{UserName: "clerk:user_2", Groups: []string{"testers"}}

	tests := map[string]struct {
		config *rest.Config
		user   string
		group  string
	}{
		"the administrator":   {cluster.Config(), "admin", "system:masters"},
		"a ServiceAccount":    {serviceAccount, "system:serviceaccount:" + namespace + ":operator", "system:serviceaccounts:" + namespace},
		"a user":              {user, "clerk:user_1", "readers"},
		"an impersonated one": {impersonated, "clerk:user_2", "testers"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			checkIdentity(t, test.config, test.user, test.group)
			path := filepath.Join(t.TempDir(), "new", "kubeconfig")
			if err := WriteKubeconfig(path, test.config); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the kubeconfig's mode: got %v, %v, want 0600", info.Mode(), err)
			}
			read, err := clientcmd.BuildConfigFromFlags("", path)
			if err != nil {
				t.Fatal(err)
			}
			checkIdentity(t, read, test.user, test.group)
		})
	}
}

func TestAuthorizationIsRBAC(t *testing.T) {
	ctx := t.Context()
	namespace := makeNamespace(t, "rbac")
	config, err := cluster.UserConfig("clerk:user_rbac")
	if err != nil {
		t.Fatal(err)
	}
	user := kubernetes.NewForConfigOrDie(config)
	if _, err := user.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("without a binding: got %v, want forbidden", err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "viewers"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "clerk:user_rbac"}},
	}
	if _, err := adminClient(t).RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := user.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
		return err
	})
}

func TestKubectlActsAsTheAdministrator(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nonexistent")
	output, err := cluster.Kubectl(t.Context(), "auth", "whoami", "--output=json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var review authenticationv1.SelfSubjectReview
	if err := json.Unmarshal(output, &review); err != nil {
		t.Fatal(err)
	}
	if got := review.Status.UserInfo.Username; got != "admin" {
		t.Errorf("kubectl acts as %q, want admin", got)
	}
}

func TestInstallCRDs(t *testing.T) {
	if err := cluster.InstallCRDs(t.Context(), filepath.Join("testdata", "crds")); err != nil {
		t.Errorf("CRDs that are there already: %v", err)
	}
	if err := cluster.InstallCRDs(t.Context(), filepath.Join("testdata", "none")); err == nil {
		t.Error("a folder that is not there: no error")
	}
	err := cluster.InstallCRDs(t.Context(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "make generate") {
		t.Errorf("an empty folder: got %v, want what to do", err)
	}
}

func TestAuditEventsCountRequests(t *testing.T) {
	config, err := cluster.UserConfig("audited", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	for range 3 {
		if _, err := client.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func(context.Context) error {
		events, err := cluster.AuditEvents()
		if err != nil {
			return err
		}
		count := 0
		for _, event := range events {
			if event.User == "audited" && event.Verb == "get" && event.Resource == "namespaces" && event.Code == 200 {
				count++
			}
		}
		if count != 3 {
			return fmt.Errorf("got %d requests in the log, want 3", count)
		}
		return nil
	})
}

func TestReadAudit(t *testing.T) {
	const line = `{"auditID":"%s","stage":"%s","verb":"watch","objectRef":{"resource":"pods"}}` + "\n"
	log := fmt.Sprintf(line+line+line, "1", "ResponseStarted", "2", "ResponseStarted", "1", "ResponseComplete") + `{"auditID":"3","ver`
	events, err := readAudit(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 {
		t.Errorf("got %d events, want 2: a watch counts once, a line that is being written not yet", len(events))
	}
}

func adminClient(t *testing.T) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func widgetClient(t *testing.T) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(widgets)
}

func makeNamespace(t *testing.T, prefix string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}
	made, err := adminClient(t).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}

func makeConfigMap(t *testing.T, namespace, name string, owners ...metav1.OwnerReference) *corev1.ConfigMap {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners}}
	made, err := adminClient(t).CoreV1().ConfigMaps(namespace).Create(t.Context(), object, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func makeWidget(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	widget := &unstructured.Unstructured{}
	widget.SetAPIVersion("controlplane.test/v1")
	widget.SetKind("Widget")
	widget.SetName(name)
	made, err := widgetClient(t).Create(t.Context(), widget, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func eventuallyNoConfigMap(t *testing.T, namespace, name string) {
	t.Helper()
	began := time.Now()
	eventually(t, func(ctx context.Context) error {
		_, err := adminClient(t).CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
		return wantNotFound(err)
	})
	t.Logf("collected after %s", time.Since(began).Round(time.Millisecond))
}

func checkIdentity(t *testing.T, config *rest.Config, user, group string) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(
		t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info := review.Status.UserInfo
	if info.Username != user || !strings.Contains(strings.Join(info.Groups, " ")+" ", group+" ") {
		t.Errorf("got user %q in groups %q, want %q in %q", info.Username, info.Groups, user, group)
	}
}

func wantNotFound(err error) error {
	if err == nil {
		return errors.New("the object is still there")
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// eventually asks until there is no error, or fails the test after half a minute.
func eventually(t *testing.T, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := cluster.until(ctx, "what the test wants", ask); err != nil {
		t.Fatal(err)
	}
}
