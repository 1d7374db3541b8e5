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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// hostsNamespace is an organization's, whose class has hosts: OwnDomains, with the domains that it has proven to own.
func hostsNamespace(t *testing.T, by client.Client, name string, own ...string) {
	t.Helper()
	meta := metav1.ObjectMeta{
		Name:        name,
		Labels:      map[string]string{organizationLabel: "org_" + name, v1alpha1.HostsLabel: string(v1alpha1.HostsOwnDomains)},
		Annotations: map[string]string{v1alpha1.OwnDomainsAnnotation: strings.Join(own, ",")},
	}
	if err := by.Create(t.Context(), &corev1.Namespace{ObjectMeta: meta}); err != nil {
		t.Fatal(err)
	}
}

// kinds by the short names that the tests use.
var hostKinds = map[string][2]string{
	"ingress":     {"networking.k8s.io/v1", "Ingress"},
	"service":     {"v1", "Service"},
	"httproute":   {"gateway.networking.k8s.io/v1", "HTTPRoute"},
	"grpcroute":   {"gateway.networking.k8s.io/v1", "GRPCRoute"},
	"gateway":     {"gateway.networking.k8s.io/v1", "Gateway"},
	"certificate": {"cert-manager.io/v1", "Certificate"},
	"request":     {"cert-manager.io/v1", "CertificateRequest"},
}

// hosting is an object of a kind that names hosts, with a spec as JSON, and annotations.
func hosting(t *testing.T, kind, namespace, name, spec string, annotations map[string]string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetAPIVersion(hostKinds[kind][0])
	object.SetKind(hostKinds[kind][1])
	object.SetNamespace(namespace)
	object.SetName(name)
	object.SetAnnotations(maps.Clone(annotations))
	var content map[string]any
	if err := json.Unmarshal([]byte(spec), &content); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	object.Object["spec"] = content
	return object
}

// isGuardedHost tells that the guards of hosts refused, and not something else.
func isGuardedHost(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "hosts is OwnDomains")
}

func wantHostRefused(t *testing.T, err error, refused bool) {
	t.Helper()
	if refused && !isGuardedHost(err) || !refused && err != nil {
		t.Errorf("refused is to be %v, got %v", refused, err)
	}
}

// ingress is the spec of an Ingress with a rule for each host, and an entry of tls for hosts.
func ingressSpec(hosts string, rest ...string) string {
	var rules []string
	for host := range strings.SplitSeq(hosts, " ") {
		rules = append(rules, fmt.Sprintf(`{"host":%q,"http":{"paths":[{"path":"/","pathType":"Prefix","backend":`+
			`{"service":{"name":"web","port":{"number":80}}}}]}}`, host))
	}
	return `{"rules":[` + strings.Join(rules, ",") + `]` + strings.Join(rest, "") + `}`
}

// What is made in the namespace of an organization uses its own hosts alone, whoever makes it.
func TestHostsAreThoseOfOwnDomains(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const namespace = "hosts-own"
	hostsNamespace(t, who.operator, namespace, "acme.example", "www.only.example", "xn--bcher-kva.example")
	account := "system:serviceaccount:" + namespace + ":default"
	actors := map[string]struct {
		by    client.Client
		bound bool
	}{
		"a member":                {impersonated(t, "clerk:user_hosts"), true},
		"a cluster administrator": {who.admin, true},
		"a ServiceAccount":        {impersonated(t, account, "system:serviceaccounts", "system:serviceaccounts:"+namespace), true},
		"who breaks the glass":    {impersonated(t, "administrator-by-a-group", breakGlass), false},
	}
	for name, actor := range actors {
		for what, c := range hostCases() {
			t.Run(name+": "+what, func(t *testing.T) {
				err := actor.by.Create(t.Context(), hosting(t, c.kind, namespace, "a", c.spec, c.annotations), client.DryRunAll)
				wantHostRefused(t, err, c.refused && actor.bound)
			})
		}
	}
}

// Elsewhere the same is nobody's business; and where the operator has yet to say which domains are own, there are none.
func TestHostsAreFreeWithoutOwnDomainsAndNoneWithoutTheList(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	member := impersonated(t, "clerk:user_hosts")
	boundedNamespace(t, who.operator, "hosts-any", v1alpha1.DerivedAccessUnlimited)
	hostsNamespace(t, who.operator, "hosts-none")
	unlisted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "hosts-unlisted", Labels: map[string]string{
		organizationLabel: "org_unlisted", v1alpha1.HostsLabel: string(v1alpha1.HostsOwnDomains),
	}}}
	if err := who.operator.Create(t.Context(), unlisted); err != nil {
		t.Fatal(err)
	}
	for _, object := range []struct{ kind, spec string }{
		{"ingress", ingressSpec("acme.example")}, {"ingress", ingressSpec("")}, {"httproute", `{"hostnames":["acme.example"]}`},
		{"certificate", `{"secretName":"tls","issuerRef":{"name":"a"},"dnsNames":["acme.example"]}`},
	} {
		for namespace, refused := range map[string]bool{"hosts-any": false, "hosts-none": true, "hosts-unlisted": true} {
			err := member.Create(t.Context(), hosting(t, object.kind, namespace, "a", object.spec, nil), client.DryRunAll)
			t.Run(namespace+" "+object.kind, func(t *testing.T) { wantHostRefused(t, err, refused) })
		}
	}
	// Nobody gives their namespace a domain.
	forged := merge(`{"metadata":{"annotations":{"` + v1alpha1.OwnDomainsAnnotation + `":"bank.example"}}}`)
	free := merge(`{"metadata":{"labels":{"` + v1alpha1.HostsLabel + `":null}}}`)
	for _, patch := range []client.Patch{forged, free} {
		err := who.admin.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "hosts-none"}}, patch)
		wantRefused(t, err, true)
	}
}

// What is there from before stays, and can go; whoever changes what it says has to bring it into line.
func TestAnObjectFromBeforeIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	const namespace = "hosts-before"
	hostsNamespace(t, who.operator, namespace, "acme.example")
	glass, member := impersonated(t, "administrator-by-a-group", breakGlass), impersonated(t, "clerk:user_hosts")
	alias := map[string]string{"nginx.ingress.kubernetes.io/server-alias": "bank.example"}
	before := hosting(t, "ingress", namespace, "before", ingressSpec("bank.example"), alias)
	before.SetFinalizers([]string{"example.com/held"})
	if err := glass.Create(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKeyFromObject(before)
	for name, c := range map[string]struct {
		patch   string
		refused bool
	}{
		"a label":               {`{"metadata":{"labels":{"a":"b"}}}`, false},
		"another annotation":    {`{"metadata":{"annotations":{"example.com/a":"b"}}}`, false},
		"without its alias":     {`{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/server-alias":null}}}`, false},
		"with another alias":    {`{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/server-alias":"other.example"}}}`, true},
		"with a snippet":        {`{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/server-snippet":"a"}}}`, true},
		"with another backend":  {`{"spec":` + strings.ReplaceAll(ingressSpec("bank.example"), `"web"`, `"other"`) + `}`, true},
		"with an own host":      {`{"spec":` + ingressSpec("acme.example") + `}`, true}, // the alias is another's still
		"brought into line":     {`{"metadata":{"annotations":null},"spec":` + ingressSpec("acme.example") + `}`, false},
		"without the finalizer": {`{"metadata":{"finalizers":null}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			object := hosting(t, "ingress", namespace, "before", `{}`, nil)
			wantHostRefused(t, member.Patch(t.Context(), object, merge("%s", c.patch), client.DryRunAll), c.refused)
		})
	}
	// The subresource takes annotations as well.
	status := hosting(t, "ingress", namespace, "before", `{}`, nil)
	err := member.SubResource("status").Patch(t.Context(), status,
		merge(`{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/server-alias":"other.example"}}}`), client.DryRunAll)
	wantHostRefused(t, err, true)

	if err := member.Delete(t.Context(), hosting(t, "ingress", namespace, "before", `{}`, nil)); err != nil {
		t.Fatal(err)
	}
	if err := member.Patch(t.Context(), hosting(t, "ingress", namespace, "before", `{}`, nil), merge(`{"metadata":{"finalizers":null}}`)); err != nil {
		t.Errorf("its finalizer is held up: %v", err)
	}
	eventually(t, func() error {
		if err := cluster.Get(t.Context(), key, before); apierrors.IsNotFound(err) {
			return nil
		}
		return errors.New("it is still there")
	})
}

// cert-manager makes signing requests for Certificates, unless one of the namespace's own ServiceAccounts bears its name.
func TestCertManagerAloneMakesSigningRequests(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	hostsNamespace(t, who.operator, "hosts-requests", "acme.example")
	hostsNamespace(t, who.operator, "cert-manager", "acme.example")
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:cert-manager"}
	manager := impersonated(t, "system:serviceaccount:cert-manager:cert-manager", groups...)
	ask := func(ctx context.Context, by client.Client, namespace string) error {
		object := hosting(t, "request", namespace, "a", `{"request":"QQ==","issuerRef":{"name":"a"}}`, nil)
		return by.Create(ctx, object, client.DryRunAll)
	}
	wantHostRefused(t, ask(t.Context(), manager, "hosts-requests"), false)
	wantHostRefused(t, ask(t.Context(), manager, "cert-manager"), true)
	wantHostRefused(t, ask(t.Context(), impersonated(t, "clerk:user_hosts"), "hosts-requests"), true)
	// It is let through with nothing else: a Certificate that it makes of an annotation is its author's.
	certificate := hosting(t, "certificate", "hosts-requests", "a", `{"secretName":"tls","issuerRef":{"name":"a"},"dnsNames":["bank.example"]}`, nil)
	wantHostRefused(t, manager.Create(t.Context(), certificate, client.DryRunAll), true)
}

func TestARefusalOfAHostSaysWhichAndWhatToDo(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	hostsNamespace(t, who.operator, "hosts-said", "acme.example", "beta.example")
	err := who.admin.Create(t.Context(), hosting(t, "ingress", "hosts-said", "a", ingressSpec("bank.example acme.example"), nil))
	for _, want := range []string{"TenantClass): bank.example. Use a domain", "acme.example, beta.example", "verified in Clerk"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something of %q", err, want)
		}
	}
}

// An Ingress with very many hosts, for an organization with as many domains as count, stays within what a guard may cost.
func TestManyHostsAndDomainsFit(t *testing.T) {
	t.Parallel()
	who := newActors(t)
	var own, hosts []string
	for i := range 64 {
		own = append(own, fmt.Sprintf("%s%02d.example", strings.Repeat("a", 55), i))
		hosts = append(hosts, fmt.Sprintf("www.%s%02d.example", strings.Repeat("a", 55), i))
	}
	hostsNamespace(t, who.operator, "hosts-many", own...)
	if err := who.admin.Create(t.Context(), hosting(t, "ingress", "hosts-many", "a", ingressSpec(strings.Join(hosts, " ")), nil)); err != nil {
		t.Error(err)
	}
}
