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

package v1alpha1_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// read returns what the API server answers to a GET of a path of our group.
func read(t *testing.T, path, accept string, into any) {
	t.Helper()
	config := plane.Config()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/apis/clerk-operator.io/v1alpha1"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := httpClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestKubectlGetShowsWhatAPersonNeeds(t *testing.T) {
	t.Parallel()
	organization, member, class, instance := newName(), newName(), newName(), newName()
	user, role, permission, item, domain := newName(), newName(), newName(), newName(), newName()
	for kind, object := range map[string][2]string{
		"ClerkOrganization": {organization, "{instance: default, id: org_2A, name: 'Acme, Inc.', slug: acme, updatedAt: '" + early + "'}"},
		"ClerkMember": {member, "{instance: default, id: orgmem_2A, organizationID: org_2A, userID: user_2A, role: 'org:admin', " +
			"user: {identifier: jane@example.com}, updatedAt: '" + early + "'}"},
		"ClerkUser": {user, "{instance: default, id: user_2A, primaryEmail: {address: jane@example.com, verified: true}, username: jane, " +
			"externalID: crm-7, banned: true, updatedAt: '" + early + "'}"},
		"ClerkRole": {role, "{instance: default, id: role_2A, key: 'org:mate', name: Mate, updatedAt: '" + early + "'}"},
		"ClerkSubscriptionItem": {item, "{instance: default, id: csub_item_2A, organizationID: org_2A, status: active, plan: pro, seats: 5, " +
			"periodEnd: '" + later + "', updatedAt: '" + early + "'}"},
		"ClerkOrganizationDomain": {domain, "{instance: default, id: orgdmn_2A, organizationID: org_2A, name: acme.example, " +
			"ownership: {status: verified, strategy: txt}, enrollmentMode: manual_invitation, updatedAt: '" + early + "'}"},
		"ClerkPermission": {permission, "{instance: default, id: perm_2A, key: 'org:a:b', name: A, updatedAt: '" + early + "'}"},
		"TenantClass":     {class, "{match: 'true', priority: 7, namespaces: [{name: a}]}"},
		"ClerkInstance":   {instance, "{instanceID: ins_2A, webhook: {signingSecretRef: {name: secret}}}"},
	} {
		if err := apply(t.Context(), kind, object[0], object[1]); err != nil {
			t.Fatal(err)
		}
	}
	condition := func(kind, status, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: "why", LastTransitionTime: metav1.Now()}
	}
	writeStatus(t, withStatus(get[v1alpha1.ClerkOrganization](t, organization), func(o *v1alpha1.ClerkOrganization) {
		o.Status = v1alpha1.ClerkOrganizationStatus{
			ClassName: "gold", Members: new(int32(3)), Plan: "pro", SubscriptionStatus: "active", Conditions: []metav1.Condition{condition("Ready", "True", "Ready")},
			Namespaces: []v1alpha1.OrganizationNamespace{
				{Name: "org-acme", State: v1alpha1.NamespaceActive}, {Name: "old", State: v1alpha1.NamespaceReleased},
			},
		}
	}))
	writeStatus(t, withStatus(get[v1alpha1.ClerkMember](t, member), func(o *v1alpha1.ClerkMember) {
		o.Status = v1alpha1.ClerkMemberStatus{
			Subject: "clerk:user_2A", Organization: "acme", Namespaces: []string{"org-acme", "org-acme-preview"},
			Conditions: []metav1.Condition{condition("Bound", "True", "Bound"), condition("Ready", "True", "Ready")},
		}
	}))
	writeStatus(t, withStatus(get[v1alpha1.ClerkUser](t, user), func(o *v1alpha1.ClerkUser) {
		o.Status.Conditions = []metav1.Condition{condition("Ready", "True", "UserBanned")}
	}))
	writeStatus(t, withStatus(get[v1alpha1.ClerkRole](t, role), func(o *v1alpha1.ClerkRole) {
		o.Status.Conditions = []metav1.Condition{condition("Ready", "True", "Ready")}
	}))
	writeStatus(t, withStatus(get[v1alpha1.ClerkPermission](t, permission), func(o *v1alpha1.ClerkPermission) {
		o.Status.Conditions = []metav1.Condition{condition("Ready", "True", "Ready")}
	}))
	writeStatus(t, withStatus(get[v1alpha1.ClerkSubscriptionItem](t, item), func(o *v1alpha1.ClerkSubscriptionItem) {
		o.Status.Conditions = []metav1.Condition{condition("Ready", "True", "Ready")}
	}))
	writeStatus(t, withStatus(get[v1alpha1.ClerkOrganizationDomain](t, domain), func(o *v1alpha1.ClerkOrganizationDomain) {
		o.Status.Conditions = []metav1.Condition{condition("Ready", "True", "Ready")}
	}))
	writeStatus(t, withStatus(get[v1alpha1.TenantClass](t, class), func(o *v1alpha1.TenantClass) {
		o.Status = v1alpha1.TenantClassStatus{Organizations: new(int32(12)), Conditions: []metav1.Condition{condition("Ready", "False", "Invalid")}}
	}))
	writeStatus(t, withStatus(get[v1alpha1.ClerkInstance](t, instance), func(o *v1alpha1.ClerkInstance) {
		o.Status = v1alpha1.ClerkInstanceStatus{
			Conditions: []metav1.Condition{condition("Ready", "True", "Ready")},
			LastEvent:  v1alpha1.LastEvent{Type: "organization.created", ReceivedAt: metav1.Now()},
		}
	}))

	// Ages are some seconds: "*" is any text that is not empty.
	cases := map[string]struct{ plain, wide []string }{
		"clerkorganizations/" + organization: {
			[]string{"Name=" + organization, "Slug=acme", "Class=gold", "Namespace=org-acme", "Members=3", "Ready=True", "Age=*"},
			[]string{"ID=org_2A", "Display Name=Acme, Inc.", "Instance=default", "Plan=pro", "Deleted=", "Reason=Ready", "Message=why"},
		},
		"clerkmembers/" + member: {
			[]string{"Name=" + member, "User=jane@example.com", "Role=org:admin", "Organization=acme",
				`Namespaces=["org-acme","org-acme-preview"]`, "Bound=True", "Age=*"},
			[]string{"ID=orgmem_2A", "Organization ID=org_2A", "User ID=user_2A", "Subject=clerk:user_2A", "Expires=", "Ready=True",
				"Reason=Bound", "Message=why"},
		},
		"clerkusers/" + user: {
			[]string{"Name=" + user, "Email=jane@example.com", "Verified=true", "Username=jane", "Banned=true", "Age=*"},
			[]string{"ID=user_2A", "Deprovisioned=", "External ID=crm-7", "Reason=UserBanned", "Message=why"},
		},
		"clerkroles/" + role: {
			[]string{"Name=" + role, "Key=org:mate", "Display Name=Mate", "Age=*"}, []string{"ID=role_2A", "Reason=Ready", "Message=why"},
		},
		"clerkpermissions/" + permission: {
			[]string{"Name=" + permission, "Key=org:a:b", "Display Name=A", "Age=*"}, []string{"ID=perm_2A", "Reason=Ready", "Message=why"},
		},
		"clerksubscriptionitems/" + item: {
			[]string{"Name=" + item, "Organization=org_2A", "Plan=pro", "Status=active", "Period End=" + later, "Age=*"},
			[]string{"ID=csub_item_2A", "Seats=5", "Reason=Ready", "Message=why"},
		},
		"clerkorganizationdomains/" + domain: {
			[]string{"Name=" + domain, "Organization=org_2A", "Domain=acme.example", "Ownership=verified", "Enrollment=manual_invitation", "Age=*"},
			[]string{"ID=orgdmn_2A", "Strategy=txt", "Reason=Ready", "Message=why"},
		},
		"tenantclasses/" + class: {
			[]string{"Name=" + class, "Organizations=12", "Priority=7", "Ready=False", "Age=*"},
			[]string{"Match=true", "Deletion=Retain", "Reason=Invalid", "Message=why"},
		},
		"clerkinstances/" + instance: {
			[]string{"Name=" + instance, "Ready=True", "Last Event=*", "Synced=", "Last Resync=", "Mode=Enforce", "Age=*"},
			[]string{"Last Type=organization.created", "Instance ID=ins_2A", "Username=clerk:${user.id}", "Resync=", "Last Refusal=",
				"Refused For=", "Reason=Ready", "Message=why"},
		},
	}
	for path, want := range cases {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var table metav1.Table
			read(t, "/"+path, "application/json;as=Table;v=v1;g=meta.k8s.io", &table)
			var plain, wide []string
			for i, column := range table.ColumnDefinitions {
				text := column.Name + "=" + cell(table.Rows[0].Cells[i])
				if strings.HasSuffix(column.Name, "Age") || column.Name == "Last Event" {
					text = column.Name + "=*"
				}
				if column.Priority == 0 {
					plain = append(plain, text)
				} else {
					wide = append(wide, text)
				}
			}
			if diff := cmp.Diff(want.plain, plain); diff != "" {
				t.Errorf("kubectl get (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.wide, wide); diff != "" {
				t.Errorf("kubectl get -o wide adds (-want +got):\n%s", diff)
			}
		})
	}
}

// cell is a cell of a table as kubectl prints it.
func cell(value any) string {
	if value == nil {
		return ""
	}
	if text, ok := value.(string); ok {
		return text
	}
	encoded, _ := json.Marshal(value)
	return string(encoded)
}

func withStatus[T any](object *T, change func(*T)) *T {
	change(object)
	return object
}

func writeStatus(t *testing.T, object client.Object) {
	t.Helper()
	if err := cluster.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func TestKindsHaveShortNamesAndACategory(t *testing.T) {
	t.Parallel()
	var resources metav1.APIResourceList
	read(t, "", "application/json", &resources)
	short := map[string]string{}
	for _, resource := range resources.APIResources {
		if strings.Contains(resource.Name, "/") {
			continue
		}
		short[resource.Name] = strings.Join(resource.ShortNames, ",")
		if resource.Namespaced || strings.Join(resource.Categories, ",") != "clerk" {
			t.Errorf("%s: namespaced: %t, categories: %v", resource.Name, resource.Namespaced, resource.Categories)
		}
	}
	want := map[string]string{
		"clerkinstances": "cinst", "clerkorganizations": "corg", "clerkmembers": "cmem", "clerkusers": "cuser",
		"clerkroles": "crole", "clerkpermissions": "cperm", "clerksubscriptionitems": "csubi", "clerkorganizationdomains": "cdom",
		"clerksinks": "csink", "clerkdatabases": "cdb", "clustergrants": "cgrant", "tenantclasses": "tclass",
	}
	if diff := cmp.Diff(want, short); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFieldsCanBeSelectedBy(t *testing.T) {
	t.Parallel()
	organization, member := newName(), newName()
	for _, object := range []struct{ kind, name, spec string }{
		{"ClerkOrganization", organization, "{instance: default, id: org_select, slug: selected, updatedAt: '" + early + "'}"},
		{"ClerkOrganization", newName(), "{instance: default, id: org_other, slug: other, updatedAt: '" + early + "'}"},
		{"ClerkMember", member, "{instance: default, id: orgmem_select, organizationID: org_select, userID: user_select, role: 'org:select', " +
			"updatedAt: '" + early + "'}"},
		{"ClerkMember", newName(), "{instance: default, id: orgmem_other, organizationID: org_other, userID: user_other, role: 'org:other', " +
			"updatedAt: '" + early + "'}"},
	} {
		if err := apply(t.Context(), object.kind, object.name, object.spec); err != nil {
			t.Fatal(err)
		}
	}
	selected := func(list client.ObjectList, fields client.MatchingFields) (names []string, err error) {
		err = cluster.List(t.Context(), list, fields)
		switch list := list.(type) {
		case *v1alpha1.ClerkOrganizationList:
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
		case *v1alpha1.ClerkMemberList:
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
		}
		return names, err
	}
	for field, value := range map[string]string{"spec.id": "org_select", "spec.slug": "selected"} {
		names, err := selected(&v1alpha1.ClerkOrganizationList{}, client.MatchingFields{field: value})
		if diff := cmp.Diff([]string{organization}, names); diff != "" || err != nil {
			t.Errorf("organizations by %s: %v (-want +got):\n%s", field, err, diff)
		}
	}
	for field, value := range map[string]string{"spec.organizationID": "org_select", "spec.userID": "user_select", "spec.role": "org:select"} {
		names, err := selected(&v1alpha1.ClerkMemberList{}, client.MatchingFields{field: value})
		if diff := cmp.Diff([]string{member}, names); diff != "" || err != nil {
			t.Errorf("members by %s: %v (-want +got):\n%s", field, err, diff)
		}
	}
	for kind, field := range map[string]string{
		"cuser": "spec.primaryEmail.address=nobody@example.com,spec.username=nobody,spec.banned=true", "crole": "spec.key=org:none", "cperm": "spec.key=org:none",
	} {
		if got := kubectl(t, "get", kind, "--field-selector", field, "-o", "name"); got != "" {
			t.Errorf("kubectl get %s --field-selector %s: %s", kind, field, got)
		}
	}
	if _, err := selected(&v1alpha1.ClerkOrganizationList{}, client.MatchingFields{"spec.name": "x"}); err == nil {
		t.Error("a field that is not selectable is to be refused, not passed over")
	}
	if got := kubectl(t, "get", "cmem", "--field-selector", "spec.role=org:select", "-o", "name"); got != "clerkmember.clerk-operator.io/"+member+"\n" {
		t.Errorf("kubectl get --field-selector: %s", got)
	}
}

// schema is what of an OpenAPI schema is looked at here.
type schema struct {
	Description          string            `json:"description"`
	Properties           map[string]schema `json:"properties"`
	Items                *schema           `json:"items"`
	AdditionalProperties *schema           `json:"additionalProperties"`
}

func TestKubectlExplainHasAWordOnEveryField(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(crds, "*.yaml"))
	if err != nil || len(files) != 12 {
		t.Fatalf("got %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Names    struct{ Plural string } `json:"names"`
				Versions []struct {
					Schema struct {
						OpenAPIV3Schema schema `json:"openAPIV3Schema"`
					} `json:"schema"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(content, &crd); err != nil {
			t.Fatal(err)
		}
		t.Run(crd.Spec.Names.Plural, func(t *testing.T) {
			t.Parallel()
			root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
			delete(root.Properties, "metadata") // which Kubernetes itself explains
			checkDescriptions(t, crd.Spec.Names.Plural, root)
			got := kubectl(t, "explain", crd.Spec.Names.Plural+".spec")
			for _, part := range []string{"FIELD: spec", "DESCRIPTION:", root.Properties["spec"].Description} {
				if !strings.Contains(strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(part), " ")) {
					t.Errorf("kubectl explain does not say %q:\n%s", part, got)
				}
			}
		})
	}
}

func checkDescriptions(t *testing.T, path string, s schema) {
	t.Helper()
	if s.Description == "" {
		t.Errorf("%s: no description", path)
	}
	for name, property := range s.Properties {
		checkDescriptions(t, path+"."+name, property)
	}
	for _, inner := range []*schema{s.Items, s.AdditionalProperties} {
		if inner != nil {
			for name, property := range inner.Properties {
				checkDescriptions(t, path+"[]."+name, property)
			}
		}
	}
}

func TestTheSamplesCanBeApplied(t *testing.T) {
	t.Parallel()
	samples := filepath.Join("..", "..", "config", "samples")
	output := kubectl(t, "apply", "--server-side", "-k", samples)
	for _, kind := range []string{"clerkinstance", "clerkorganization", "clerkmember", "clerkuser", "clerkrole", "clerkpermission", "clerksubscriptionitem", "clerkorganizationdomain", "clerksink", "clerkdatabase", "clustergrant", "tenantclass"} {
		if !strings.Contains(output, kind+".clerk-operator.io/") {
			t.Errorf("no sample of a %s:\n%s", kind, output)
		}
	}
	if again := kubectl(t, "apply", "--server-side", "-k", samples); strings.Count(again, "serverside-applied") != strings.Count(output, "serverside-applied") {
		t.Errorf("a second time:\n%s", again)
	}

	organization := get[v1alpha1.ClerkOrganization](t, "default.org-2p9xrjvtq4s8wczdmb1nkh6yfla")
	if got := v1alpha1.ObjectName(organization.Spec.Instance, organization.Spec.ID); got != organization.Name {
		t.Errorf("the mirror would call the sample %s", got)
	}
	instance := get[v1alpha1.ClerkInstance](t, "default")
	if _, err := tenant.CompileUsername(instance.Spec.Username); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"support", "on-call"} {
		if _, err := tenant.CompileClusterGrant(get[v1alpha1.ClusterGrant](t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var classes []*tenant.Class
	for _, name := range []string{"default", "enterprise"} {
		class, err := tenant.CompileClass(get[v1alpha1.TenantClass](t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		classes = append(classes, class)
	}
	view := tenant.OrganizationOf(organization)
	class, err := tenant.Select(classes, view, "")
	if err != nil || class == nil || class.Name() != "enterprise" {
		t.Fatalf("the sample organization is on the enterprise plan, and gets %v", class)
	}
	namespaces, err := class.Render(view)
	if err != nil || len(namespaces) != 2 || namespaces[0].Name != "acme-dev" || namespaces[1].Name != "acme-prod" {
		t.Errorf("got %+v, %v", namespaces, err)
	}
	for _, namespace := range namespaces {
		if err := tenant.CheckName(namespace.Name, "clerk-operator-system"); err != nil {
			t.Error(err)
		}
	}
}
