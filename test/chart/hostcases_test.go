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

import "strings"

// hostCase is an object that is refused, or not, in a namespace of an organization that owns acme.example, www.only.example and
// xn--bcher-kva.example.
type hostCase struct {
	kind, spec  string
	annotations map[string]string
	refused     bool
}

func hostCases() map[string]hostCase {
	const backend = `,"defaultBackend":{"service":{"name":"web","port":{"number":80}}}`
	own := ingressSpec("acme.example")
	annotated := func(key, value string, refused bool) hostCase {
		return hostCase{"ingress", ingressSpec("www.acme.example"), map[string]string{key: value}, refused}
	}
	service := func(key, value string, refused bool) hostCase {
		return hostCase{"service", `{"ports":[{"port":80}]}`, map[string]string{key: value}, refused}
	}
	route := func(hostnames string, refused bool) hostCase {
		return hostCase{"httproute", `{"hostnames":[` + hostnames + `]}`, nil, refused}
	}
	listener := func(protocol, hostname string, refused bool) hostCase {
		return hostCase{"gateway", `{"gatewayClassName":"a","listeners":[{"name":"l","port":80,"protocol":"` + protocol + `"` + hostname + `}]}`,
			nil, refused}
	}
	certificate := func(fields string, refused bool) hostCase {
		return hostCase{"certificate", `{"secretName":"tls","issuerRef":{"name":"a"}` + fields + `}`, nil, refused}
	}
	const nginx, dns = "nginx.ingress.kubernetes.io/", "external-dns.alpha.kubernetes.io/"
	return map[string]hostCase{
		"an Ingress for an own domain":        {"ingress", own, nil, false},
		"for a host below it":                 {"ingress", ingressSpec("a.b.acme.example"), nil, false},
		"for a wildcard below it":             {"ingress", ingressSpec("*.acme.example"), nil, false},
		"for a domain in punycode":            {"ingress", ingressSpec("www.xn--bcher-kva.example"), nil, false},
		"for what only ends like it":          {"ingress", ingressSpec("evilacme.example"), nil, true},
		"for its parent":                      {"ingress", ingressSpec("example"), nil, true},
		"for a wildcard above it":             {"ingress", ingressSpec("*.example"), nil, true},
		"for another that has it below":       {"ingress", ingressSpec("acme.example.evil.example"), nil, true},
		"for an own one and another":          {"ingress", ingressSpec("acme.example evil.example"), nil, true},
		"for every host":                      {"ingress", ingressSpec(""), nil, true},
		"with a default backend":              {"ingress", ingressSpec("acme.example", backend), nil, true},
		"with TLS for an own host":            {"ingress", ingressSpec("acme.example", `,"tls":[{"hosts":["acme.example"],"secretName":"tls"}]`), nil, false},
		"with TLS for another":                {"ingress", ingressSpec("acme.example", `,"tls":[{"hosts":["acme.example","bank.example"]}]`), nil, true},
		"with TLS for every host":             {"ingress", ingressSpec("acme.example", `,"tls":[{"secretName":"tls"}]`), nil, true},
		"with an own alias":                   annotated(nginx+"server-alias", "a.acme.example, b.acme.example", false),
		"with another's alias":                annotated(nginx+"server-alias", "a.acme.example, bank.example", true),
		"with an alias that is an expression": annotated(nginx+"server-alias", "~^.*acme.example", true),
		"with a snippet":                      annotated(nginx+"server-snippet", "return 200;", true),
		"with another snippet":                annotated(nginx+"configuration-snippet", "", true),
		"with a redirect from its parent":     annotated(nginx+"from-to-www-redirect", "true", false),
		"with a redirect from somebody else's parent": {
			"ingress", ingressSpec("www.only.example"), map[string]string{nginx + "from-to-www-redirect": "true"}, true,
		},
		"with a path that ends a rule of Traefik": {
			"ingress", strings.Replace(own, `"path":"/"`, "\"path\":\"/x`) || Host(`bank.example\"", 1), nil, true,
		},
		"with another path":                          {"ingress", strings.Replace(own, `"path":"/"`, `"path":"/a(/|$)(.*)"`, 1), nil, false},
		"with a matcher that ends a rule of Traefik": annotated("traefik.ingress.kubernetes.io/router.pathmatcher", "PathPrefix", true),
		"with a redirect from another host":          annotated("haproxy-ingress.github.io/redirect-from", "bank.example", true),
		"with a redirect from many":                  annotated("haproxy-ingress.github.io/redirect-from-regex", ".*", true),
		"with Kong's aliases":                        annotated("konghq.com/host-aliases", "bank.example", true),
		"with AWS' conditions":                       annotated("alb.ingress.kubernetes.io/conditions.web", "[]", true),
		"with certificates of Traefik":               annotated("traefik.ingress.kubernetes.io/router.tls.domains.0.main", "acme.example", true),
		"with a record in DNS":                       annotated(dns+"hostname", "bank.example", true),
		"with an annotation that names no host":      annotated(nginx+"rewrite-target", "/bank.example", false),

		"a Service":                           service("example.com/a", "bank.example", false),
		"a Service with an own record":        service(dns+"hostname", "Db.Acme.Example., acme.example", false),
		"a Service with another's record":     service(dns+"hostname", "bank.example", true),
		"a Service with an internal record":   service(dns+"internal-hostname", "bank.example", true),
		"a Service with Mappings of Emissary": service("getambassador.io/config", "host: acme.example", true),
		"a Service with a rule of HAProxy":    service("haproxy.org/route-acl", "always_true", true),
		"a Service with two full stops":       service(dns+"hostname", "acme.example..", true),
		"a Service with a comma in the host":  service(dns+"hostname", "bank.example,acme.example", true),

		"an HTTPRoute for an own host":   route(`"acme.example","*.acme.example"`, false),
		"an HTTPRoute for another":       route(`"acme.example","bank.example"`, true),
		"an HTTPRoute for every host":    route(``, true),
		"an HTTPRoute that says nothing": {"httproute", `{}`, nil, true},
		"a GRPCRoute for an own host":    {"grpcroute", `{"hostnames":["acme.example"]}`, nil, false},
		"a GRPCRoute for another":        {"grpcroute", `{"hostnames":["bank.example"]}`, nil, true},
		"a Gateway for an own host":      listener("HTTP", `,"hostname":"*.acme.example"`, false),
		"a Gateway for another":          listener("HTTP", `,"hostname":"bank.example"`, true),
		"a Gateway for every host":       listener("HTTP", ``, true),
		"a Gateway that knows no hosts":  listener("TCP", ``, false),
		"a Gateway whose Service has an own record": {"gateway", `{"gatewayClassName":"a","listeners":[{"name":"l","port":80,"protocol":"TCP"}],` +
			`"infrastructure":{"annotations":{"` + dns + `hostname":"acme.example"}}}`, nil, true},
		"a Gateway whose Service has an annotation": {"gateway", `{"gatewayClassName":"a","listeners":[{"name":"l","port":80,"protocol":"TCP"}],` +
			`"infrastructure":{"annotations":{"example.com/a":"b"}}}`, nil, false},

		"a Certificate for own hosts":             certificate(`,"commonName":"acme.example","dnsNames":["Acme.Example","*.acme.example."]`, false),
		"a Certificate for another":               certificate(`,"dnsNames":["acme.example","bank.example"]`, true),
		"a Certificate with another's name":       certificate(`,"commonName":"bank.example","dnsNames":["acme.example"]`, true),
		"a Certificate that names nothing":        certificate(``, true),
		"a Certificate for an address":            certificate(`,"dnsNames":["acme.example"],"ipAddresses":["192.0.2.1"]`, true),
		"a Certificate for a URI":                 certificate(`,"dnsNames":["acme.example"],"uris":["spiffe://bank.example"]`, true),
		"a Certificate for mail":                  certificate(`,"dnsNames":["acme.example"],"emailAddresses":["a@acme.example"]`, true),
		"a Certificate with a subject of its own": certificate(`,"dnsNames":["acme.example"],"literalSubject":"CN=bank.example"`, true),
		"a Certificate of an authority":           certificate(`,"dnsNames":["acme.example"],"isCA":true`, true),
		"a signing request":                       {"request", `{"request":"QQ==","issuerRef":{"name":"a"}}`, nil, true},
	}
}
