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

package tenant

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// namespaceOf is an entry from its YAML, as the API server hands it out.
func namespaceOf(t *testing.T, text string) v1alpha1.TenantNamespace {
	t.Helper()
	namespace := v1alpha1.TenantNamespace{Name: "a"}
	encoded, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = json.Unmarshal(encoded, &namespace)
	}
	if err != nil {
		t.Fatal(err)
	}
	return namespace
}

func TestQuantitiesAndPortsAreThoseOfTheOrganization(t *testing.T) {
	t.Parallel()
	class, err := CompileClass(classOf(namespaceOf(t, `
resourceQuota:
  hard:
    pods: '${organization.publicMetadata.plan == "pro" ? "100" : "10"}'
    count/secrets: ${organization.maxAllowedMemberships * 2}
    requests.cpu: ${organization.publicMetadata.seats}
    limits.cpu: ${organization.publicMetadata.share}
    limits.memory: ${organization.publicMetadata.limits.cpu}Gi
    requests.memory: ${string(quantity("1Gi").add(quantity("512Mi")))}
    requests.storage: '${quantity("8Gi").isGreaterThan(quantity("9Gi")) ? "8Gi" : "9Gi"}'
    services: 5
    secrets: "0.0001"
  scopes: [NotTerminating]
limitRange:
  limits:
    - type: Container
      max: {cpu: '${organization.publicMetadata.limits.cpu}'}
      min: {cpu: 10m}
      default: {cpu: '${math.least(4, organization.maxAllowedMemberships)}'}
      maxLimitRequestRatio: {cpu: '${"2"}'}
networkPolicies:
  - name: own
    spec:
      ingress:
        - ports: [{port: '${organization.publicMetadata.seats + 8000.0}', endPort: '80${"10"}', protocol: UDP}, {port: "443"}, {port: 53}]
          from: [{ipBlock: {cidr: '${string(cidr("10.1.2.3/16").masked())}', except: ['10.1.${organization.maxAllowedMemberships}.0/24']}}]
      egress:
        - ports: [{port: '${organization.handle}-web'}]
`)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := class.Render(acme())
	if err != nil {
		t.Fatal(err)
	}
	list := func(pairs ...string) corev1.ResourceList {
		result := corev1.ResourceList{}
		for i := 0; i < len(pairs); i += 2 {
			result[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
		}
		return result
	}
	tcp := new(corev1.ProtocolTCP)
	want := Namespace{
		Template: "a", Name: "a",
		ResourceQuota: &corev1.ResourceQuotaSpec{Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeNotTerminating}, Hard: list(
			"pods", "100", "count/secrets", "14", "requests.cpu", "5", "limits.cpu", "250m", "limits.memory", "8Gi", "requests.memory", "1536Mi",
			"requests.storage", "9Gi", "services", "5", "secrets", "1m")},
		LimitRange: &corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Max: list("cpu", "8"), Min: list("cpu", "10m"), Default: list("cpu", "4"),
			DefaultRequest: list("cpu", "4"), MaxLimitRequestRatio: list("cpu", "2"),
		}}},
		NetworkPolicies: map[string]networkingv1.NetworkPolicySpec{"own": {
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				Ports: []networkingv1.NetworkPolicyPort{
					{Protocol: new(corev1.ProtocolUDP), Port: new(intstr.FromInt32(8005)), EndPort: new(int32(8010))},
					{Protocol: tcp, Port: new(intstr.FromInt32(443))}, {Protocol: tcp, Port: new(intstr.FromInt32(53))},
				},
				From: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.1.0.0/16", Except: []string{"10.1.7.0/24"}}}},
			}},
			Egress: []networkingv1.NetworkPolicyEgressRule{{
				Ports: []networkingv1.NetworkPolicyPort{{Protocol: tcp, Port: new(intstr.FromString("acme-web"))}},
			}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		}},
	}
	if diff := cmp.Diff([]Namespace{want}, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Rule{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAQuantityOrPortThatIsNoneIsSaidOfTheClass(t *testing.T) {
	t.Parallel()
	const (
		hard     = "spec.namespaces[0].resourceQuota.hard[pods]: "
		limit    = "spec.namespaces[0].limitRange.limits[1].maxLimitRequestRatio[cpu]: "
		policy   = "spec.namespaces[0].networkPolicies[0]: spec."
		quantity = " is not a quantity, such as 10, 500m or 2Gi"
	)
	port := func(port string) string {
		return "networkPolicies: [{name: p, spec: {egress: [{}, {ports: [" + port + "]}]}}]"
	}
	quota := func(pods string) string { return "resourceQuota: {hard: {pods: " + pods + "}}" }
	limits := func(ratio string) string {
		return "limitRange: {limits: [{type: Pod}, {type: Pod, maxLimitRequestRatio: {cpu: " + ratio + "}}]}"
	}
	for name, test := range map[string]struct{ reason, namespace, says string }{
		"text":                  {"", quota("many"), hard + `"many"` + quantity},
		"below 0":               {"", quota("-1"), hard + `"-1" is a quantity below 0`},
		"a fraction of YAML":    {"it is written as a number", quota("1.5x"), hard + `"1.5x"` + quantity},
		"an object":             {"the schema refuses it; the informer reads it", quota("{a: 1}"), hard},
		"a list":                {"", quota("[1]"), hard},
		"null":                  {"", quota("null"), hard + `""` + quantity},
		"a huge exponent":       {"a number of a billion digits would take all memory", quota("1e1000000000"), hard + `"1e1000000000"` + quantity},
		"too long":              {"", quota("'" + strings.Repeat("1", 65) + "'"), hard},
		"a plain ${":            {"", quota("'$${x}'"), hard + `"${x}"` + quantity},
		"an unclosed ${":        {"", quota("'${organization.id'"), hard + `template "${organization.id": ${ has no closing }`},
		"an unknown field":      {"", quota("'${organization.slugg}'"), hard + `expression "organization.slugg" does not compile`},
		"an unknown function":   {"", quota("'${now()}'"), hard},
		"a time":                {"it is no number", quota("'${organization.createdAt}'"), hard},
		"an address":            {"it has to be made text", quota(`'${ip("10.0.0.1")}'`), hard + `expression "ip(\"10.0.0.1\")" gives`},
		"a quantity":            {"it has to be made text", quota(`'${quantity("1")}'`), hard + `expression "quantity(\"1\")" gives kubernetes.Quantity`},
		"a limit":               {"", limits("x"), limit + `"x"` + quantity},
		"a limit's expression":  {"", limits("'${x}'"), limit + `expression "x" does not compile`},
		"port 0":                {"", port("{port: 0}"), policy + `egress[1].ports[0].port: "0" is not a port: a number from 1 to 65535, or a port's name`},
		"port 65536":            {"", port("{port: 65536}"), policy + `egress[1].ports[0].port: "65536" is not a port`},
		"a port beyond numbers": {"an IntOrString would not be read", port("{port: 99999999999999999999}"), policy + "egress[1].ports[0].port: "},
		"a name that is none":   {"", port("{port: Not_A_Name}"), policy + "egress[1].ports[0].port: "},
		"an end that is a name": {"", port("{port: 1, endPort: http}"), policy + `egress[1].ports[0].endPort: "http" is not a port's number`},
		"a port's expression":   {"", port("{port: '${x}'}"), `spec.namespaces[0].networkPolicies[0]: expression "x" does not compile`},
		"a peer's expression": {
			"", "networkPolicies: [{name: p, spec: {ingress: [{from: [{ipBlock: {cidr: '${x}'}}]}]}}]",
			`spec.namespaces[0].networkPolicies[0]: expression "x" does not compile`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := CompileClass(classOf(namespaceOf(t, test.namespace))); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: got %v; want an error with %q", test.reason, err, test.says)
			}
		})
	}
}

func TestAQuantityOrPortThatIsNoneIsSaidOfTheOrganization(t *testing.T) {
	t.Parallel()
	const (
		hard     = "spec.namespaces[0].resourceQuota.hard[pods]: "
		policy   = "spec.namespaces[0].networkPolicies[0]: spec."
		quantity = "what it expands to is not a quantity, such as 10, 500m or 2Gi"
	)
	quota := func(pods string) string { return "resourceQuota: {hard: {pods: '" + pods + "'}}" }
	port := func(port string) string {
		return "networkPolicies: [{name: p, spec: {ingress: [{ports: [" + port + "]}]}}]"
	}
	for name, test := range map[string]struct{ reason, namespace, says string }{
		"a missing key": {"", quota("${organization.publicMetadata.absent}"),
			hard + `expression "organization.publicMetadata.absent" failed: no such key: absent`},
		"a name":           {"it is not quoted: it may be personal", quota("${organization.name}"), hard + quantity},
		"nothing":          {"", quota(`${""}`), hard + quantity},
		"below 0":          {"", quota("-${organization.maxAllowedMemberships}"), hard + "what it expands to is a quantity below 0"},
		"a huge number":    {"1e21 is written so", quota("${organization.publicMetadata.huge}0000"), hard + quantity},
		"a long text":      {"", quota("${[1,2,3,4,5,6,7,8].map(i, \"0000000000\").join()}"), hard + quantity},
		"a text of MiB":    {"the work is bounded", quota("${[1,2,3,4,5,6,7,8,9].map(i, organization.name).join().replace(\"\", organization.name)}"), hard},
		"no such quantity": {"", quota(`${string(quantity(organization.name))}`), hard + `expression "string(quantity(organization.name))" failed: not a quantity`},
		"another type":     {"", quota("${organization.publicMetadata.tags}"), hard},
		"a limit": {"", `limitRange: {limits: [{type: Container, defaultRequest: {cpu: "${organization.name}"}}]}`,
			"spec.namespaces[0].limitRange.limits[0].defaultRequest[cpu]: " + quantity},
		"a port": {"", port("{port: '${organization.name}'}"), policy + "ingress[0].ports[0].port: what it expands to is not a port"},
		"the end of ports": {"", port("{port: 1, endPort: '${organization.slug}'}"),
			policy + "ingress[0].ports[0].endPort: what it expands to is not a port's number, from 1 to 65535"},
		"a port of 0": {"", port("{port: '${organization.maxAllowedMemberships - 7}'}"), policy + "ingress[0].ports[0].port: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, err := CompileClass(classOf(namespaceOf(t, test.namespace)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = class.Render(acme()); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%s: got %v; want an error with %q", test.reason, err, test.says)
			}
			if strings.Contains(err.Error(), "Acme") {
				t.Errorf("the error quotes the organization: %v", err)
			}
		})
	}
}

func TestFunctionsOfQuantitiesAndAddresses(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`isQuantity("1Gi")`: "true", `isQuantity("1 Gi")`: "false", `isQuantity("1e999999999")`: "false",
		`quantity("1Gi") == quantity("1024Mi")`: "true", `quantity("1").isLessThan(quantity("1001m"))`: "true",
		`quantity("2").compareTo(quantity("1"))`: "1", `string(quantity("2Gi").sub(quantity("1Gi")))`: "1Gi",
		`type(quantity("1")) == type(quantity("2"))`: "true",
		`isIP("10.0.0.1") && !isIP("10.0.0.0/8")`:    "true", `cidr("10.0.0.0/8").containsIP("10.1.2.3")`: "true",
		`cidr("10.1.2.3/8").masked() == cidr("10.0.0.0/8")`: "true", `cidr("10.0.0.0/8").prefixLength()`: "8",
		`math.greatest(1, organization.maxAllowedMemberships)`: "7", `sets.contains([1, 2], [2])`: "true",
		`"%d seats".format([organization.maxAllowedMemberships])`: "7 seats",
		`string(ip("10.0.0.1"))`:                                  "10.0.0.1",
	} {
		template, err := organizationScope.template("${" + source + "}")
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := template.expand(map[string]any{"organization": acme()}); err != nil || got != want {
			t.Errorf("%s gives %q, %v; want %q", source, got, err, want)
		}
	}
}
