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
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kinds"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/internal/receiver"
)

// examine runs doctor, by a clock that is ahead, and returns what it says of each check.
func examine(t *testing.T, ahead time.Duration, args ...string) (string, kubectl.Doctor) {
	t.Helper()
	clock := func() time.Time { return time.Now().Add(ahead) }
	// The tests that have an operator of their own name its namespace after this one: the last counts.
	got := runAt(t, clock, append([]string{"doctor", "-o", "json", "--operator-namespace", operatorNamespace}, args...)...)
	var found kubectl.Doctor
	if err := json.Unmarshal([]byte(got.out), &found); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	if want := map[bool]int{true: 0, false: 2}[found.Healthy]; got.code != want {
		t.Errorf("exit code %d, want %d", got.code, want)
	}
	return got.out, found
}

// wantFinding looks for a finding with some words in message or fix.
func wantFinding(t *testing.T, found kubectl.Doctor, check, state string, words ...string) {
	t.Helper()
next:
	for _, finding := range found.Findings {
		if finding.Check != check || finding.State != state {
			continue
		}
		for _, word := range words {
			if !strings.Contains(finding.Message+"\n"+finding.Fix, word) {
				continue next
			}
		}
		if state == kubectl.FindingWrong && finding.Fix == "" {
			t.Errorf("%s is wrong, and nothing says what to do", check)
		}
		return
	}
	t.Errorf("no finding %s is %s with %q among %+v", check, state, words, found.Findings)
}

// createAll creates objects, and deletes them after the test.
func createAll(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := cluster.Delete(context.WithoutCancel(t.Context()), object); err != nil {
				t.Error(err)
			}
		})
	}
}

func leaseOf(namespace, holder string, renewed time.Time) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "clerk-operator"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: new(int32(15)), RenewTime: new(metav1.NewMicroTime(renewed)),
		},
	}
}

func namespaceNamed(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func TestDoctorSaysWhatIsWrongAndNeverASecret(t *testing.T) {
	t.Parallel()
	const namespace, secretValue = "doctor-wrong", "whsec_c2hvcnQ="
	labels := map[string]string{"app.kubernetes.io/name": "clerk-operator"}
	pod := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
		ServiceAccountName: "somebody", Containers: []corev1.Container{{Name: "clerk-operator", Image: "clerk-operator"}},
	}}
	createAll(t, namespaceNamed(namespace), leaseOf(namespace, "pod-1_uid", time.Now().Add(-time.Hour)),
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "clerk-operator", Labels: labels},
			Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: pod},
		},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default-webhook"},
			StringData: map[string]string{"endpoint": secretValue}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "doctor-key"}, StringData: map[string]string{"key": "pk_test_1"}},
		&v1alpha1.ClerkInstance{ObjectMeta: metav1.ObjectMeta{Name: "doctor-api"}, Spec: v1alpha1.ClerkInstanceSpec{
			API: v1alpha1.ClerkInstanceAPI{SecretKeyRef: v1alpha1.SecretKeyReference{Name: "doctor-key", Key: "key"}},
		}},
	)
	text, found := examine(t, 10*time.Minute, "--operator-namespace", namespace)
	wantFinding(t, found, "operator", "Wrong", "no replica of the Deployment doctor-wrong/clerk-operator is available", "describe deployment")
	wantFinding(t, found, "leader", "Wrong", "pod-1", "has not renewed it for 1h0m")
	wantFinding(t, found, "rights", "Wrong", "doctor-wrong/somebody may not", "patch clerkmembers.clerk-operator.io/status", "upgrade the chart")
	wantFinding(t, found, "rights", "Wrong", "bind clusterroles.rbac.authorization.k8s.io admin", "which a TenantClass maps")
	wantFinding(t, found, "secrets", "Wrong", "the key endpoint is too short", "Clerk's dashboard")
	wantFinding(t, found, "secrets", "Wrong", "ClerkInstance doctor-api", "is not marked", "kubectl -n doctor-wrong label secret doctor-key")
	wantFinding(t, found, "clocks", "Wrong", "this machine is 10m", "ahead of the API server's", "NTP")
	wantFinding(t, found, "you", "Passed", "you may do all")
	for _, secret := range []string{secretValue, "c2hvcnQ", "pk_test_1"} {
		if strings.Contains(text, secret) {
			t.Errorf("it shows %q of a Secret", secret)
		}
	}
}

func TestDoctorTellsAClockThatIsAheadFromALeaseThatIsOld(t *testing.T) {
	t.Parallel()
	createAll(t, namespaceNamed("doctor-ahead"), leaseOf("doctor-ahead", "pod-1_uid", time.Now().Add(5*time.Minute)),
		namespaceNamed("doctor-behind"))
	_, found := examine(t, 0, "--operator-namespace", "doctor-ahead")
	wantFinding(t, found, "clocks", "Wrong", "the clock of pod-1 is", "ahead of")

	// A replica whose clock is behind renews its Lease, with times that look old.
	behind := leaseOf("doctor-behind", "pod-2_uid", time.Now().Add(-5*time.Minute))
	createAll(t, behind)
	done, renewed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(renewed)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				behind.Spec.RenewTime = new(metav1.NewMicroTime(time.Now().Add(-5 * time.Minute)))
				if err := cluster.Update(t.Context(), behind); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	_, found = examine(t, 0, "--operator-namespace", "doctor-behind")
	close(done)
	<-renewed
	wantFinding(t, found, "clocks", "Wrong", "the clock of pod-2 is", "behind")
}

func TestDoctorFindsKindsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	crd.Name = "clerksinks.clerk-operator.io"
	annotate := func(checksum string) {
		patch := client.RawPatch("application/merge-patch+json",
			fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, kinds.Annotation, checksum))
		if err := cluster.Patch(t.Context(), crd, patch); err != nil {
			t.Fatal(err)
		}
	}
	annotate("older")
	_, found := examine(t, 0)
	annotate(kinds.Checksums()[crd.Name])
	wantFinding(t, found, "kinds", "Wrong", "not of this version: clerksinks.", "kubectl apply --server-side")
}

func TestDoctorComparesTheNamesOfTheAPIServerWithThoseThatAreBound(t *testing.T) {
	t.Parallel()
	asAdmin := func(name string) kubectl.Doctor {
		_, found := examine(t, 0, "--as", name, "--as-group", "system:masters")
		return found
	}
	wantFinding(t, asAdmin("clerk:user_2jane"), "identity", "Passed", "clerk:user_2jane, as ClerkInstance default does")
	wantFinding(t, asAdmin("oidc:user_2jane"), "identity", "Wrong", "oidc:user_2jane", "clerk:${user.id} (ClerkInstance default)", "oidc:${user.id}")
	wantFinding(t, asAdmin("admin"), "identity", "Unknown", "you are admin")
}

func TestDoctorTriesTheEndpoint(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := receiver.New(receiver.Options{Reader: cluster, Namespace: operatorNamespace, Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- endpoint.Start(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	url := "http://" + listener.Addr().String() + "/webhooks/"
	_, found := examine(t, 0, "--url", url+"default")
	wantFinding(t, found, "endpoint", "Wrong", "a forged delivery is refused, but the way there is not encrypted")
	_, found = examine(t, 0, "--url", url+"another")
	wantFinding(t, found, "endpoint", "Wrong", "404", "no such ClerkInstance")
	_, found = examine(t, 0, "--url", "https://127.0.0.1:1/webhooks/default")
	wantFinding(t, found, "endpoint", "Wrong", "nobody answers", "docs/expose.md")
}
