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
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Where a platform brings its own, the chart keeps out of it: no ids, no account, no rights, and the guards trust that account.
func TestWhatThePlatformBringsIsNotMade(t *testing.T) {
	t.Parallel()
	each(t, render(t, filepath.Join(chart, "ci", "openshift.yaml")), "Deployment", func(d *appsv1.Deployment) {
		if s := d.Spec.Template.Spec.SecurityContext; s.RunAsUser != nil || s.RunAsGroup != nil || s.FSGroup != nil || !*s.RunAsNonRoot {
			t.Errorf("the pods ask for ids: %v", s)
		}
	})
	r := render(t, filepath.Join(chart, "ci", "accounts-of-ones-own.yaml"))
	for _, object := range r.objects {
		if kind := object.GetKind(); kind == "ServiceAccount" || strings.HasSuffix(kind, "Role") || strings.HasSuffix(kind, "RoleBinding") {
			t.Errorf("%s %s is made", kind, object.GetName())
		}
	}
	if !strings.Contains(r.text, "system:serviceaccount:"+namespace+":clerk'") {
		t.Error("no guard trusts the account")
	}
}

func TestTheNodesNetworkIsUsedWithTheClustersNames(t *testing.T) {
	t.Parallel()
	r := render(t, filepath.Join(chart, "ci", "default-values.yaml"), "--set", "hostNetwork=true")
	accepted(t, r)
	each(t, r, "Deployment", func(d *appsv1.Deployment) {
		if spec := d.Spec.Template.Spec; !spec.HostNetwork || spec.DNSPolicy != corev1.DNSClusterFirstWithHostNet {
			t.Errorf("got hostNetwork %t, DNS %s", spec.HostNetwork, spec.DNSPolicy)
		}
	})
}

func TestEveryObjectHasTheCommonAnnotations(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"behind-a-proxy.yaml", "monitoring.yaml", "ingress-cert-manager.yaml", "hardened.yaml", "me.yaml"} {
		r := render(t, filepath.Join(chart, "ci", file), "--set", `commonAnnotations.example\.com/owner=platform`)
		for _, object := range r.objects {
			if _, extra := object.Object["data"]; extra && object.GetKind() == "ConfigMap" && file == "behind-a-proxy.yaml" {
				continue // of extraObjects, which are left as they are
			}
			if object.GetAnnotations()["example.com/owner"] != "platform" {
				t.Errorf("%s: %s %s lacks them", file, object.GetKind(), object.GetName())
			}
		}
	}
}

// An image's name has its registry before it, and the digest wins.
func TestTheImagesNameIsPutTogether(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("0", 64)
	for set, want := range map[string]string{
		"image.registry=registry.example.com:5000/":                              "registry.example.com:5000/clerk-operator:0.1.0",
		"image.registry=registry.example.com,image.digest=" + digest:             "registry.example.com/clerk-operator@" + digest,
		"image.registry=,image.repository=clerk-operator,image.pullPolicy=Never": "clerk-operator:0.1.0",
	} {
		output := mustHelm(t, plane, "template", release, chart, "--set", "clerk.existingSecret=a,"+set, "--show-only", "templates/deployment.yaml")
		if !strings.Contains(output, fmt.Sprintf("image: %q", want)) {
			t.Errorf("%s does not give %s", set, want)
		}
	}
}
