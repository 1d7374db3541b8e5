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
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
)

// equal compares two values as JSON has them.
func equal(t *testing.T, what string, have, want any) {
	t.Helper()
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%s: the page says\n%s\nand the command\n%s", what, asJSON(t, have), asJSON(t, want))
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// printed is what a command prints as JSON.
func printed[T any](t *testing.T, args string) *T {
	t.Helper()
	found := new(T)
	result := run(t, append(strings.Fields(args), "-o", "json")...)
	if err := json.Unmarshal([]byte(result.out), found); err != nil {
		t.Fatalf("kubectl clerk %s: %v: %s", args, err, result.errors)
	}
	return found
}

func TestThePageSaysWhatTheCommandsSay(t *testing.T) {
	page := servePage(t)
	var list kubectl.PageOrganizations
	page.answer("/api/organizations", &list)
	tree := printed[kubectl.Tree](t, "tree")
	if len(list.Items) != len(tree.Organizations) || len(list.Items) < 3 {
		t.Errorf("%d organizations, and the command has %d", len(list.Items), len(tree.Organizations))
	}
	for _, branch := range tree.Organizations {
		at := slices.IndexFunc(list.Items, func(row kubectl.PageOrganization) bool { return row.Name == branch.Name })
		if at < 0 {
			t.Errorf("the page lacks %s", branch.Name)
			continue
		}
		row := list.Items[at]
		equal(t, branch.Name, []any{row.ID, row.Class, row.Members, row.Ready, row.Reason},
			[]any{branch.ID, branch.Class, branch.Members, branch.Ready, branch.Reason})
		var one kubectl.PageTree
		page.answer("/api/organization?name="+url.QueryEscape(branch.Name), &one)
		equal(t, branch.Name, one.Tree, branch)
		equal(t, branch.Name, one.Organization, row)
		who := printed[kubectl.Who](t, "who "+branch.ID)
		people := make([]kubectl.WhoPerson, 0, len(one.People))
		for _, member := range one.People {
			people = append(people, member.WhoPerson)
		}
		equal(t, "who is in "+branch.Name, people, who.People)
	}
	var everybody kubectl.PagePeople
	page.answer("/api/people", &everybody)
	if len(everybody.Items) < 5 || everybody.Total != len(everybody.Items) {
		t.Errorf("%d people of %d", len(everybody.Items), everybody.Total)
	}
	for _, person := range everybody.Items {
		var why kubectl.PageWhy
		page.answer("/api/person?instance="+person.Instance+"&id="+person.ID, &why)
		equal(t, person.ID, why.Why, *printed[kubectl.Why](t, "why "+person.ID))
		equal(t, person.ID, why.Person, person)
	}
	var instances kubectl.PageInstances
	page.answer("/api/instances", &instances)
	equal(t, "status", instances.Status, *printed[kubectl.Status](t, "status"))
	equal(t, "what is held", instances.Held, printed[kubectl.Prune](t, "prune show").Held)
	var instance v1alpha1.ClerkInstance
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: "default"}, &instance); err != nil {
		t.Fatal(err)
	}
	equal(t, "silence", instances.Silent, map[string]metav1.Time{"default": instance.CreationTimestamp})
}

func TestThePageFindsPeopleByWhatIsKnownOfThem(t *testing.T) {
	page := servePage(t)
	for search, want := range map[string]string{
		"jane@acme.example": "user_2jane", "JANE doe": "user_2jane", "user_2joe": "user_2joe", "clerk:user_2joe": "user_2joe",
		"nobody at all": "",
	} {
		var found kubectl.PagePeople
		page.answer("/api/people?search="+url.QueryEscape(search), &found)
		ids := make([]string, 0, len(found.Items))
		for _, person := range found.Items {
			ids = append(ids, person.ID)
		}
		if strings.Join(ids, ",") != want {
			t.Errorf("%q finds %v, want %q", search, ids, want)
		}
	}
}

// changes are what the page hears; each is asked for by next.
func (p *servedPage) changes() (next func() map[string]any) {
	p.test.Helper()
	request, err := http.NewRequestWithContext(p.test.Context(), http.MethodGet, p.base+"/api/changes", http.NoBody)
	if err != nil {
		p.test.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.test.Fatal(err)
	}
	p.test.Cleanup(func() { _ = response.Body.Close() })
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		p.test.Fatalf("changes come as %q", kind)
	}
	lines := bufio.NewScanner(response.Body)
	return func() map[string]any {
		p.test.Helper()
		for lines.Scan() {
			content, isData := strings.CutPrefix(lines.Text(), "data: ")
			if !isData {
				continue
			}
			var state map[string]any
			if err := json.Unmarshal([]byte(content), &state); err != nil {
				p.test.Fatal(err)
			}
			return state
		}
		p.test.Fatalf("changes ended: %v", lines.Err())
		return nil
	}
}

func TestThePageSaysWhatItsCallerMayNotSee(t *testing.T) {
	tests := map[string]struct {
		as    string
		notes []string
		// answers that are given, and those that are refused with the sentence.
		given   []string
		refused map[string]string
	}{
		"may not list namespaces": {
			as: "viewer",
			notes: []string{
				"You may not list namespaces: ask for the verb list on it, in a ClusterRole. What it says is left out.",
				"You may not list rolebindings.rbac.authorization.k8s.io of all namespaces: ask for the verb list on it, in a ClusterRole. " +
					"What it says is left out.",
			},
			given: []string{"organizations", "organization?name=default.org-2acme", "people", "person?instance=default&id=user_2jane", "instances"},
		},
		"may list and not watch": {
			as:    "auditor",
			notes: []string{"You may not watch clerkorganizations.clerk-operator.io: changes of these show after half a minute or so."},
			given: []string{"organizations", "organization?name=default.org-2acme", "people", "person?instance=default&id=user_2jane", "instances"},
		},
		"may list nothing": {
			as: "nobody",
			notes: []string{"You may not list clerkorganizations.clerk-operator.io: ask for the ClusterRole clerk-operator-viewer. " +
				"What it says is left out."},
			refused: map[string]string{
				"organizations": "you may not list clerkorganizations.clerk-operator.io: ask for the ClusterRole clerk-operator-viewer",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			page := servePage(t, "--as", test.as)
			for _, path := range test.given {
				page.answer("/api/"+path, new(map[string]any))
			}
			for path, sentence := range test.refused {
				status, _, body := page.ask("/api/"+path, nil)
				if status != http.StatusBadGateway || !strings.Contains(string(body), sentence) {
					t.Errorf("%s: %d %s, want %s", path, status, body, sentence)
				}
			}
			next := page.changes()
			for {
				notes := fmt.Sprint(next()["notes"])
				if !slices.ContainsFunc(test.notes, func(note string) bool { return !strings.Contains(notes, note) }) {
					break
				}
				if t.Context().Err() != nil {
					t.Fatalf("the notes are %s", notes)
				}
			}
		})
	}
}

// viewed is an organization of the tests' own, which goes with the test.
func viewed(t *testing.T, id string) *v1alpha1.ClerkOrganization {
	t.Helper()
	organization := &v1alpha1.ClerkOrganization{}
	organization.Name = "default." + strings.ReplaceAll(strings.ToLower(id), "_", "-")
	organization.Labels = map[string]string{v1alpha1.OrganizationIDLabel: id}
	organization.Spec.Instance, organization.Spec.ID, organization.Spec.Name = "default", id, "Live, Ltd."
	organization.Spec.Slug = strings.ReplaceAll(strings.ToLower(id), "_", "-")
	organization.Spec.UpdatedAt = new(metav1.NewMicroTime(now))
	if err := cluster.Create(t.Context(), organization); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		namespace := &corev1.Namespace{}
		namespace.Name = "org-" + organization.Spec.Slug
		for _, object := range []client.Object{organization, namespace} {
			if err := client.IgnoreNotFound(cluster.Delete(context.WithoutCancel(t.Context()), object)); err != nil {
				t.Error(err)
			}
		}
	})
	return organization
}

func TestAChangeIsToldToThePage(t *testing.T) {
	page := servePage(t)
	next := page.changes()
	has := func(name string) bool {
		var list kubectl.PageOrganizations
		page.answer("/api/organizations", &list)
		return slices.ContainsFunc(list.Items, func(row kubectl.PageOrganization) bool { return row.Name == name && row.Ready })
	}
	organization := viewed(t, "org_2told")
	for !has(organization.Name) {
		next()
	}
	if err := cluster.Delete(t.Context(), organization); err != nil {
		t.Fatal(err)
	}
	for has(organization.Name) {
		next()
	}
}
