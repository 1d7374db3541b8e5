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
	"encoding/base64"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestADeploymentIsJudged(t *testing.T) {
	t.Parallel()
	status := func(observed int64, replicas, updated, available int32) appsv1.DeploymentStatus {
		return appsv1.DeploymentStatus{ObservedGeneration: observed, Replicas: replicas, UpdatedReplicas: updated, AvailableReplicas: available}
	}
	for name, test := range map[string]struct {
		replicas *int32
		status   appsv1.DeploymentStatus
		state    string
		word     string
	}{
		"available":     {new(int32(2)), status(3, 2, 2, 2), FindingPassed, "with 2 replicas"},
		"by default":    {nil, status(3, 1, 1, 1), FindingPassed, "with 1 replica"},
		"none":          {new(int32(2)), status(3, 2, 2, 0), FindingWrong, "no replica"},
		"some":          {new(int32(2)), status(3, 2, 2, 1), FindingWrong, "1 of 2 replicas"},
		"switched off":  {new(int32(0)), status(3, 0, 0, 0), FindingWrong, "scaled to nothing"},
		"new version":   {new(int32(2)), status(3, 3, 1, 2), FindingWrong, "rolled out"},
		"just upgraded": {new(int32(2)), status(2, 2, 2, 2), FindingWrong, "rolled out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := judgeDeployment(&appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "clerk-operator", Generation: 3},
				Spec:       appsv1.DeploymentSpec{Replicas: test.replicas}, Status: test.status,
			})
			if got.State != test.state || !strings.Contains(got.Message, test.word) || (got.Fix == "") != (got.State == FindingPassed) {
				t.Errorf("got %+v, want %s with %q", got, test.state, test.word)
			}
		})
	}
}

func TestTheFlagsOfAnAPIServerAreRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command []string
		want    serverFlags
	}{
		"prefix": {
			[]string{"kube-apiserver", "--oidc-issuer-url=https://clerk.example", "--oidc-client-id=id", "--oidc-username-prefix=clerk:"},
			serverFlags{issuer: "https://clerk.example", clientID: "id", claim: "sub", prefix: "clerk:"},
		},
		"its own prefix": {
			[]string{"kube-apiserver", "--oidc-issuer-url=https://clerk.example"},
			serverFlags{issuer: "https://clerk.example", claim: "sub", prefix: "https://clerk.example#"},
		},
		"no prefix": {
			[]string{"--oidc-issuer-url=https://clerk.example", "--oidc-username-prefix=-"},
			serverFlags{issuer: "https://clerk.example", claim: "sub"},
		},
		"address": {
			[]string{"--oidc-issuer-url=https://clerk.example", "--oidc-username-claim=email"},
			serverFlags{issuer: "https://clerk.example", claim: "email"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Command: test.command}}}}
			if got := readServerFlags(pod); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestOfATokenOnlyIssuerAndAudienceAreTold(t *testing.T) {
	t.Parallel()
	token := func(claims string) string {
		return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl"
	}
	for name, test := range map[string]struct{ token, want string }{
		"one audience":  {token(`{"iss":"https://clerk.example","aud":"id","sub":"user_2A"}`), "; your token is of https://clerk.example, for id"},
		"two audiences": {token(`{"iss":"https://clerk.example","aud":["a","b"]}`), "; your token is of https://clerk.example, for a b"},
		"opaque":        {"abc", ""},
		"not JSON":      {"a.b.c", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (&trace{token: test.token}).presented(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
