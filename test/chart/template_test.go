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
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// guardCount is how many guards there are in config/admission.
const guardCount = 17

// rendered is what the chart makes of values.
type rendered struct {
	text    string
	objects []*unstructured.Unstructured
}

// render renders the chart with one of the documented combinations of values.
func render(t *testing.T, values string, more ...string) rendered {
	t.Helper()
	args := append([]string{"template", release, chart, "-n", namespace, "-f", values}, more...)
	r := rendered{text: mustHelm(t, plane, args...)}
	for document := range strings.SplitSeq(r.text, "\n---\n") {
		object := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		if len(object) > 0 {
			r.objects = append(r.objects, &unstructured.Unstructured{Object: object})
		}
	}
	return r
}

// each hands every rendered object of a kind to do, as its type.
func each[T any](t *testing.T, r rendered, kind string, do func(*T)) {
	t.Helper()
	for _, object := range r.objects {
		if object.GetKind() != kind {
			continue
		}
		typed := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true); err != nil {
			t.Fatal(err)
		}
		do(typed)
	}
}

// Every combination of values that is documented renders to objects that a real API server takes as they stand, unknown fields refused.
func TestEveryDocumentedCombinationIsAccepted(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(chart, "ci", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no combinations: %v", err)
	}
	restricted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "restricted", Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}
	// Where Prometheus and Grafana are.
	monitoring := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}}
	for _, namespace := range []*corev1.Namespace{restricted, monitoring} {
		if err := cluster.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
	if err := cluster.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "any", Namespace: "restricted"}}); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			if output, err := helm(t.Context(), plane, "lint", "--strict", "--quiet", chart, "-f", file); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
			r := render(t, file)
			accepted(t, r)
			each(t, r, "Deployment", func(d *appsv1.Deployment) { runsRestricted(t, d) })
			each(t, r, "Pod", func(p *corev1.Pod) { isRestricted(t, p.Spec) })
			exposesTheReceiverAlone(t, r)
			grantsByName(t, r)
		})
	}
}

// accepted has the API server check every object, with strict validation and without keeping it.
func accepted(t *testing.T, r rendered) {
	t.Helper()
	manifest := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(manifest, []byte(r.text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := plane.Kubectl(t.Context(), "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict",
		"--field-manager=helm", "-f", manifest) // as helm does: what is installed is then replaced, not added to
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("the API server refuses it: %v\n%s", err, output)
	}
	if strings.Contains(string(output), "Warning") {
		t.Errorf("the API server warns:\n%s", output)
	}
}

// runsRestricted has the API server admit a pod of the Deployment in a namespace of the level "restricted".
func runsRestricted(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	isRestricted(t, d.Spec.Template.Spec)
	if grace := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; grace < 30+preStop(d)+5 {
		t.Errorf("a pod has %d s to end, too few to sleep %d s and to drain for 30 s", grace, preStop(d))
	}
}

func isRestricted(t *testing.T, spec corev1.PodSpec) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: "restricted"}, Spec: *spec.DeepCopy()}
	pod.Spec.ServiceAccountName, pod.Spec.PriorityClassName = "any", ""
	if err := cluster.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Errorf("its pods are not restricted: %v", err)
	}
}

func preStop(d *appsv1.Deployment) int64 {
	if lifecycle := d.Spec.Template.Spec.Containers[0].Lifecycle; lifecycle != nil {
		return lifecycle.PreStop.Sleep.Seconds
	}
	return 0
}

// exposesTheReceiverAlone checks that nothing leads anybody from outside to anything but /webhooks/ on the receiver's port.
func exposesTheReceiverAlone(t *testing.T, r rendered) {
	t.Helper()
	each(t, r, "Ingress", func(i *networkingv1.Ingress) {
		if i.Spec.DefaultBackend != nil {
			t.Error("the Ingress has a default backend")
		}
		for _, rule := range i.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				if path.Path != "/webhooks/" || path.Backend.Service.Name != receiverService(r) || path.Backend.Service.Port.Name != "receiver" {
					t.Errorf("the Ingress exposes %s of %v", path.Path, path.Backend.Service)
				}
			}
		}
	})
	for _, object := range r.objects {
		if object.GetKind() != "HTTPRoute" {
			continue
		}
		rules, err := json.Marshal(object.Object["spec"].(map[string]any)["rules"])
		want := fmt.Sprintf(`[{"backendRefs":[{"name":%q,"port":8090}],"matches":[{"path":{"type":"PathPrefix","value":"/webhooks/"}}]}]`,
			receiverService(r))
		if err != nil || string(rules) != want {
			t.Errorf("the HTTPRoute exposes %s (%v), want %s", rules, err, want)
		}
	}
	each(t, r, "Service", func(s *corev1.Service) {
		if s.Name == receiverService(r) {
			if len(s.Spec.Ports) != 1 || s.Spec.Ports[0].TargetPort.StrVal != "receiver" {
				t.Errorf("the Service of the receiver leads to %v", s.Spec.Ports)
			}
		} else if s.Spec.Type != "" && s.Spec.Type != corev1.ServiceTypeClusterIP {
			t.Errorf("the Service %s is exposed: it is a %s", s.Name, s.Spec.Type)
		}
	})
}

// receiverService is the name of the Deployment, which the Service of the receiver has as well.
func receiverService(r rendered) string {
	for _, object := range r.objects {
		if object.GetKind() == "Deployment" {
			return object.GetName()
		}
	}
	return ""
}

// grantsByName checks every rule that the chart gives the operator: no wildcards, no way to more, names where bind is allowed, and those
// that the rendered classes map among them.
func grantsByName(t *testing.T, r rendered) {
	t.Helper()
	bound := map[string]bool{}
	check := func(name string, rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames} {
				for _, entry := range list {
					switch entry {
					case "*", "escalate", "impersonate":
						t.Errorf("%s has %q in %v", name, entry, rule)
					case "bind":
						if len(rule.ResourceNames) == 0 {
							t.Errorf("%s binds any ClusterRole", name)
						}
						for _, role := range rule.ResourceNames {
							bound[role] = true
						}
					}
				}
			}
		}
	}
	each(t, r, "ClusterRole", func(c *rbacv1.ClusterRole) {
		check(c.Name, c.Rules)
		for _, rule := range c.Rules {
			for _, resource := range rule.Resources {
				if resource == "secrets" && !slices.Equal(rule.Verbs, []string{"deletecollection"}) { // a guard says which
					t.Errorf("%s gives Secrets of the whole cluster", c.Name)
				}
			}
		}
	})
	each(t, r, "Role", func(c *rbacv1.Role) { check(c.Name, c.Rules) })
	mapped := map[string]bool{}
	for _, object := range r.objects {
		if object.GetKind() != "TenantClass" {
			continue
		}
		namespaces, _, _ := unstructured.NestedSlice(object.Object, "spec", "namespaces")
		for _, entry := range namespaces {
			bindings, _, _ := unstructured.NestedSlice(entry.(map[string]any), "roleBindings")
			for _, binding := range bindings {
				mapped[binding.(map[string]any)["clusterRole"].(string)] = true
			}
		}
	}
	delete(bound, "deployer") // of rbac.extraClusterRoles in tenant-classes
	each(t, r, "Deployment", func(d *appsv1.Deployment) {
		for _, arg := range d.Spec.Template.Spec.Containers[0].Args {
			if roles, found := strings.CutPrefix(arg, "--cluster-grant-roles="); found {
				for role := range strings.SplitSeq(roles, ",") {
					mapped[role] = true
				}
			}
		}
	})
	if fmt.Sprint(bound) != fmt.Sprint(mapped) {
		t.Errorf("it may bind %v, and the classes map %v", bound, mapped)
	}
}

func TestTyposAreRefused(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"a key at the top":                   "replica=3",
		"a key below":                        "image.repo=x",
		"a key far below":                    "exposure.tls.certificate.issuer=x",
		"a key of a list":                    "image.pullSecrets[0].nme=x",
		"a key of a role binding":            "tenantClasses.default.namespaces[0].roleBindings[0].clusterrole=x",
		"text for a number":                  "replicas=two",
		"no replicas":                        "replicas=0",
		"a port that is none":                "service.port=70000",
		"a word that is not among several":   "image.pullPolicy=Allways",
		"a signing secret that is none":      "clerk.signingSecret=sk_test",
		"a time without a unit":              "settings.tombstoneRetention=7",
		"a name that is none":                "instances.My_Instance.instanceID=x",
		"a flag without dashes":              "settings.extraArgs[0]=zap-devel",
		"a digest that is none":              "image.digest=latest",
		"a registry with a scheme":           "image.registry=https://registry.example.com",
		"the variable that is the chart's":   "extraEnv[0].name=POD_NAMESPACE",
		"a volume without a name":            "extraVolumes[0].emptyDir.medium=Memory",
		"a DNS policy that is none":          "dnsPolicy=Cluster",
		"an annotation that is no text":      "commonAnnotations.a.b=c",
		"a proxy's port that is none":        "networkPolicy.proxy.ports[0]=http",
		"a priority above the system's":      "priorityClass.value=2000000000",
		"a monitor that is not there (yet)":  "monitor=true",
		"a host with a scheme":               "exposure.host=https://example.com",
		"resources of the wrong shape":       "resources.limit.memory=1Gi",
		"a policy that is not there":         "networkPolicy.enable=true",
		"a guard that cannot be switched so": "admission=false",
		"an alert that is not there":         "metrics.prometheusRule.alerts.ClerkOperatorDwon.enabled=false",
		"a threshold that is no number":      "metrics.prometheusRule.alerts.ClerkOperatorDown.threshold=1h",
		"an interval without a unit":         "metrics.serviceMonitor.interval=30",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := filepath.Join(chart, "ci", "default-values.yaml")
			output, err := helm(t.Context(), plane, "template", release, chart, "-f", values, "--set", set)
			if err == nil {
				t.Fatalf("%s is accepted:\n%s", set, output)
			}
			if !strings.Contains(err.Error(), "values don't meet the specifications of the schema") {
				t.Errorf("it is refused by something else than the schema: %v", err)
			}
		})
	}
}

// What no schema can say is said by the templates, with what to do.
func TestWhatDoesNotGoTogetherIsRefused(t *testing.T) {
	t.Parallel()
	const secret = image + ",clerk.existingSecret=a"
	for name, test := range map[string]struct{ set, want string }{
		"no signing secret":                 {image, "set clerk.signingSecret"},
		"two signing secrets":               {secret + ",clerk.signingSecret=whsec_abc", "set one of them"},
		"another instance without a Secret": {secret + ",instances.staging.instanceID=ins_a", "instances.staging.webhook.signingSecretRef.name"},
		"an Ingress without a host":         {secret + ",exposure.ingress.enabled=true", "exposure.host is not set"},
		"an HTTPRoute without a Gateway":    {secret + ",exposure.host=a.b,exposure.httpRoute.enabled=true", "parentRefs is empty"},
		"a Certificate without an issuer":   {secret + ",exposure.host=a.b,exposure.tls.certificate.enabled=true", "issuerRef.name is not set"},
		"TLS without a certificate":         {secret + ",exposure.tls.inOperator=true", "needs a certificate"},
		"a Prometheus without a ClusterRole": {
			secret + ",rbac.userRoles=false,metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.prometheus.serviceAccount=a", "rbac.userRoles=true",
		},
		"an image that nobody can pull": {"clerk.existingSecret=a", "there is no published image yet"},
		"its tag alone":                 {"clerk.existingSecret=a,image.tag=1.0.0", "no cluster can pull"},
		"a Prometheus without any rights": {
			secret + ",rbac.create=false,metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.prometheus.serviceAccount=a", "rbac.create=true",
		},
		"/me without a certificate": {secret + ",me.enabled=true", "me.tls.secretName is not set"},
		"ClusterGrants without guards": {
			secret + ",clusterGrants.clusterRoles[0]=view,admission.enabled=false", "clusterGrants.clusterRoles needs the guards",
		},
		"two priority classes": {secret + ",priorityClass.name=a", "priorityClass.create=false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := helm(t.Context(), plane, "template", release, chart, "--set", test.set); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something of %q", err, test.want)
			}
		})
	}
}

// The guards compile against the kinds that they guard: the API server's own type checker has nothing to say.
func TestTheGuardsCompile(t *testing.T) {
	t.Parallel()
	eventually(t, func() error {
		var policies admissionregistrationv1.ValidatingAdmissionPolicyList
		if err := cluster.List(t.Context(), &policies, client.MatchingLabels{"app.kubernetes.io/name": "clerk-operator"}); err != nil {
			return err
		}
		if len(policies.Items) != guardCount {
			return fmt.Errorf("%d guards, want %d", len(policies.Items), guardCount)
		}
		for _, policy := range policies.Items {
			if policy.Status.TypeChecking == nil {
				return fmt.Errorf("%s is not type-checked yet", policy.Name)
			}
			for _, warning := range policy.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("%s: %s: %s", policy.Name, warning.FieldRef, warning.Warning)
			}
		}
		return nil
	})
}

// The guards let through whom the values name, and nobody else.
func TestTheBreakGlassGroupIsConfigurable(t *testing.T) {
	t.Parallel()
	r := render(t, filepath.Join(chart, "ci", "hardened.yaml"))
	guards := 0
	each(t, r, "ValidatingAdmissionPolicy", func(policy *admissionregistrationv1.ValidatingAdmissionPolicy) {
		guards++
		if strings.HasSuffix(policy.Name, "-only") {
			return // for the operator alone
		}
		variables := map[string]string{}
		for _, variable := range policy.Spec.Variables {
			variables[variable.Name] = variable.Expression
		}
		want := map[string]string{
			"operator":         "'system:serviceaccount:" + namespace + ":clerk-operator'",
			"breakGlassGroups": `["platform-oncall"]`,
			"breakGlassUsers":  `["system:serviceaccount:velero:velero"]`,
		}
		if strings.Contains(policy.Name, "-hosts-") {
			delete(want, "operator") // it names no hosts
			want["hostsUsers"] = `["system:serviceaccount:flux-system:kustomize-controller"]`
			want["hostsGroups"] = `["platform-oncall"]`
			switch {
			case strings.HasSuffix(policy.Name, "-requests"):
				want["certificateUsers"] = `["system:serviceaccount:certificates:cert-manager"]`
			case !strings.HasSuffix(policy.Name, "-certificates"):
				want["moreHostAnnotations"] = `["dns.example.com/names"]`
			}
		}
		if strings.Contains(policy.Name, "-derived-") {
			want["derivedAccessUsers"] = `["system:serviceaccount:cert-manager:cert-manager"]`
			want["derivedAccessGroups"] = `["platform-oncall"]`
			if !strings.HasSuffix(policy.Name, "-bindings") { // the operator makes neither tokens nor Secrets
				delete(want, "operator")
			}
		}
		if strings.HasSuffix(policy.Name, "-destinations") { // of no concern to the operator
			delete(want, "operator")
			want["destinationUsers"] = `["system:serviceaccount:flux-system:kustomize-controller"]`
			want["destinationGroups"] = `["data-protection"]`
		}
		for name, expression := range want {
			if variables[name] != expression {
				t.Errorf("%s: %s is %s, want %s", policy.Name, name, variables[name], expression)
			}
		}
		if strings.Contains(fmt.Sprint(policy.Spec.Validations), "clerk-operator:break-glass") {
			t.Errorf("%s sends people to a group that the values do not have", policy.Name)
		}
	})
	if guards != guardCount {
		t.Errorf("%d guards, want %d", guards, guardCount)
	}
}

// What a guard bounds, the operator may not do where there are no guards.
func TestWithoutGuardsNoSecretsAreDeleted(t *testing.T) {
	t.Parallel()
	for _, enabled := range []bool{true, false} {
		found := false
		each(t, render(t, filepath.Join(chart, "ci", "hardened.yaml"), "--set", fmt.Sprintf("admission.enabled=%t", enabled)), "ClusterRole", func(role *rbacv1.ClusterRole) {
			for _, rule := range role.Rules {
				found = found || slices.Contains(rule.Resources, "secrets") && !slices.Contains(rule.Verbs, "get")
			}
		})
		if found != enabled {
			t.Errorf("with guards %t, the right to delete Secrets is there: %t", enabled, found)
		}
	}
}

// Where the release has other names, nothing that belongs together comes apart.
func TestAnotherNameIsUsedThroughout(t *testing.T) {
	t.Parallel()
	r := render(t, filepath.Join(chart, "ci", "scheduling.yaml"))
	roles := map[string]bool{}
	for _, object := range r.objects {
		if strings.HasSuffix(object.GetKind(), "Role") {
			roles[object.GetKind()+"/"+object.GetName()] = true
		}
		if object.GetAPIVersion() != "clerk-operator.io/v1alpha1" && strings.HasPrefix(object.GetName(), "clerk-operator") {
			t.Errorf("%s %s is not named after the release", object.GetKind(), object.GetName())
		}
		if object.GetNamespace() != "" && object.GetNamespace() != namespace {
			t.Errorf("%s %s is in the namespace %s", object.GetKind(), object.GetName(), object.GetNamespace())
		}
		if object.GetLabels()["example.com/cost-center"] != "platform" {
			t.Errorf("%s %s lacks the common labels", object.GetKind(), object.GetName())
		}
	}
	connected := func(ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		if !roles[ref.Kind+"/"+ref.Name] {
			t.Errorf("a binding is to %s %s, which is not there", ref.Kind, ref.Name)
		}
		if ref.Name == "tenants-break-glass" {
			return // for a group
		}
		if len(subjects) != 1 || subjects[0].Name != "clerk" || subjects[0].Namespace != namespace {
			t.Errorf("a binding is for %v", subjects)
		}
	}
	each(t, r, "ClusterRoleBinding", func(b *rbacv1.ClusterRoleBinding) { connected(b.RoleRef, b.Subjects) })
	each(t, r, "RoleBinding", func(b *rbacv1.RoleBinding) { connected(b.RoleRef, b.Subjects) })
	each(t, r, "ValidatingAdmissionPolicyBinding", func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
		if b.Spec.PolicyName != b.Name {
			t.Errorf("the binding %s is to %s", b.Name, b.Spec.PolicyName)
		}
	})
	if strings.Contains(r.text, "serviceaccount:"+namespace+":clerk-operator") {
		t.Error("a guard trusts an account that is not the operator's")
	}
}
