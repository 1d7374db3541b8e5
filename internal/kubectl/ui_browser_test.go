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
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/test/browser"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

// open opens the page in a browser. When the test ends, the browser must have had nothing to complain of, and nobody else must have been
// asked.
func (p *servedPage) open() *browser.Window {
	p.test.Helper()
	window := browser.Open(p.test)
	p.test.Cleanup(func() {
		if problems := window.Problems(); len(problems) > 0 {
			p.test.Errorf("the browser complains of:\n%s", strings.Join(problems, "\n"))
		}
		if hosts := window.Hosts(); !slices.Equal(hosts, []string{strings.TrimPrefix(p.base, "http://")}) {
			p.test.Errorf("the page asks %v", hosts)
		}
	})
	window.Go(p.address)
	return window
}

// texts are what elements show, white space made one.
func texts(window *browser.Window, selector string) []string {
	return window.Texts(fmt.Sprintf(
		`[...document.querySelectorAll(%q)].map(element => element.innerText.replace(/\s+/g, ' ').trim())`, selector))
}

const (
	organizationRows = `[aria-label="Organizations"] a.row`
	shownHeading     = `document.querySelector('main h1')?.innerText`
)

// listedRows are the rows of the list of organizations, by the API.
func listedRows(ctx context.Context) (rows []string, err error) {
	var organizations v1alpha1.ClerkOrganizationList
	if err := cluster.List(ctx, &organizations); err != nil {
		return nil, err
	}
	for i := range organizations.Items {
		organization := &organizations.Items[i]
		state := meta.FindStatusCondition(organization.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case organization.Spec.DeletedAt != nil:
			continue
		case organization.Spec.ID == "org_2evil":
			rows = append(rows, "Evil default 0 members Ready") // without what would turn the direction of writing
			continue
		case state == nil || organization.Status.Members == nil:
			return nil, fmt.Errorf("%s has no status yet", organization.Name)
		}
		text := "Ready"
		if state.Status != metav1.ConditionTrue {
			text = state.Reason
		}
		members := fmt.Sprintf("%d members", *organization.Status.Members)
		if *organization.Status.Members == 1 {
			members = "1 member"
		}
		rows = append(rows, fmt.Sprintf("%s %s %s %s %s", organization.Spec.Slug, organization.Spec.Name,
			cmp.Or(organization.Status.ClassName, "no class"), members, text))
	}
	slices.Sort(rows)
	return rows, nil
}

func TestTheListInABrowserIsThatOfTheAPI(t *testing.T) {
	page := servePage(t)
	window := page.open()
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
	var want []string
	wait.Within(t, time.Minute, "the list", func(ctx context.Context) (err error) {
		if want, err = listedRows(ctx); err != nil {
			return err
		}
		have := texts(window, organizationRows)
		slices.Sort(have)
		if !slices.Equal(have, want) {
			err = fmt.Errorf("it shows\n%s\nand the API has\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
		return err
	})
	if address := window.Text("location.href"); strings.Contains(address, page.token) {
		t.Errorf("the token stays in the address: %s", address)
	}
	window.Reload()
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length === %d", organizationRows, len(want)))
}

// shownTree is what the tree of an organization shows, by the API: the RoleBindings, and the ClusterRoleBinding of the ClusterGrant that names it.
func shownTree(t *testing.T, organization string) (lines []string) {
	t.Helper()
	var bindings rbacv1.RoleBindingList
	var everywhere rbacv1.ClusterRoleBindingList
	if err := errors.Join(cluster.List(t.Context(), &bindings, client.MatchingLabels{v1alpha1.OrganizationIDLabel: organization}),
		cluster.List(t.Context(), &everywhere, client.MatchingLabels{v1alpha1.ClusterGrantLabel: "support"})); err != nil {
		t.Fatal(err)
	}
	add := func(place, role, by string, subjects []rbacv1.Subject, until string) {
		if !slices.Contains(lines, "1 "+place) {
			lines = append(lines, "1 "+place)
		}
		count := fmt.Sprintf("%d subjects", len(subjects))
		if len(subjects) == 1 {
			count = "1 subject"
		}
		lines = append(lines, fmt.Sprintf("2 %s %s %s", role, by, count))
		for _, subject := range subjects {
			address := strings.TrimPrefix(subject.Name, "clerk:user_2") + "@acme.example"
			lines = append(lines, fmt.Sprintf("3 %s %s%s", address, subject.Name, until))
		}
	}
	for _, binding := range bindings.Items {
		add(binding.Namespace, binding.RoleRef.Name, binding.Name, binding.Subjects, "")
	}
	for _, binding := range everywhere.Items {
		add("the whole cluster", binding.RoleRef.Name, "ClusterGrant support", binding.Subjects, " until 2100-01-01T00:00:00Z")
	}
	return lines
}

func TestTheTreeInABrowserIsThatOfTheAPI(t *testing.T) {
	page := servePage(t)
	window := page.open()
	window.Look(1200, 760, false)
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
	window.Press("/")
	window.Until("document.activeElement.id === 'search'")
	window.Press("acme")
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length === 1", organizationRows))
	window.Press(kb.Enter)
	window.Until(shownHeading + " === 'acme' && document.querySelector('[role=treeitem]')")

	want := shownTree(t, "org_2acme")
	have := window.Texts(`[...document.querySelectorAll('[role=treeitem]')].map(element =>
		element.ariaLevel + ' ' + element.innerText.replace(/\s+/g, ' ').trim())`)
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) || len(want) < 9 {
		t.Errorf("the tree shows\n%s\nand the API has\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	window.Picture("ui-tree")

	// By the keyboard: close the first namespace, open it again, and go back to the list.
	before := window.Number("document.querySelectorAll('[role=treeitem]').length")
	window.Press("j" + kb.Home + kb.ArrowLeft)
	window.Until(fmt.Sprintf(
		"document.querySelectorAll('[role=treeitem]').length < %g && document.activeElement.ariaExpanded === 'false'", before))
	window.Press(kb.Enter)
	window.Until(fmt.Sprintf("document.querySelectorAll('[role=treeitem]').length === %g", before))
	window.Press(kb.Escape)
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length === 1", organizationRows))
	window.Press("/" + kb.Escape)
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 1", organizationRows))
}

func TestAPersonInABrowserIsWhatWhySays(t *testing.T) {
	page := servePage(t)
	window := page.open()
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
	window.Look(1200, 760, false)
	for _, id := range []string{"user_2jane", "user_2ben", "user_2zoe"} {
		why := printed[kubectl.Why](t, "why "+id)
		window.Go(page.base + "/#/people/default/" + id)
		window.Until(fmt.Sprintf("document.querySelectorAll('[data-member=%q] [data-step]').length > 0", why.Memberships[0].Member))
		for _, membership := range why.Memberships {
			var want []string
			for _, step := range membership.Steps {
				want = append(want, fmt.Sprintf("%s %s %s", step.Name, step.State, step.Message))
			}
			have := window.Texts(fmt.Sprintf(`[...document.querySelectorAll('[data-member=%q] [data-step]')].map(step =>
				step.dataset.step + ' ' + step.dataset.state + ' ' + step.querySelector('.what').firstChild?.textContent)`, membership.Member))
			for i := range have {
				have[i] = strings.TrimSuffix(have[i], "undefined")
			}
			if !slices.Equal(have, want) {
				t.Errorf("%s: the page shows\n%s\nand why says\n%s", id, strings.Join(have, "\n"), strings.Join(want, "\n"))
			}
			shown := window.Text("document.querySelector('main').innerText")
			for _, sentence := range []string{membership.Person, membership.Message, membership.Advice} {
				if !strings.Contains(shown, sentence) {
					t.Errorf("%s: the page lacks %q", id, sentence)
				}
			}
		}
		if id == "user_2ben" {
			window.Picture("ui-person")
		}
	}
}

func TestPeopleAndInstancesInABrowser(t *testing.T) {
	page := servePage(t)
	window := page.open()
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
	var people kubectl.PagePeople
	page.answer("/api/people", &people)
	window.Go(page.base + "/#/people")
	window.Until(fmt.Sprintf("document.querySelectorAll('a.person').length === %d", len(people.Items)))
	window.Press("/JANE")
	window.Until("document.querySelectorAll('a.person').length === 1")
	window.Press(kb.Enter)
	window.Until(shownHeading + " === 'jane@acme.example'")

	status := printed[kubectl.Status](t, "status")
	window.Go(page.base + "/#/instances")
	window.Until("document.querySelectorAll('section.card').length > 0")
	if have := texts(window, "section.card h2"); len(have) != len(status.Instances) {
		t.Errorf("the instances are %q", have)
	}
	shown := window.Text("document.querySelector('main').innerText")
	for _, object := range status.NotReady {
		if !strings.Contains(shown, object.Reason) || !strings.Contains(shown, object.Message) {
			t.Errorf("the page lacks that %s is %s: %s", object.Name, object.Reason, object.Message)
		}
	}
}

func TestAChangeShowsWithoutReload(t *testing.T) {
	window := servePage(t).open()
	window.Until("document.querySelector('.live.good') && (window.notReloaded = true)")
	row := func(text string) string {
		return fmt.Sprintf("[...document.querySelectorAll(%q)].some(row => row.innerText.includes(%q)) && window.notReloaded",
			organizationRows, text)
	}
	organization := viewed(t, "org_2shown")
	window.Until(row("org-2shown"))
	before := organization.DeepCopy()
	// What comes from Clerk is text, whatever it looks like.
	organization.Spec.Name = `<img src="x" onerror="alert(1)"><b>Bold</b>`
	if err := cluster.Patch(t.Context(), organization, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	window.Until(row(organization.Spec.Name))
	window.Until("document.querySelectorAll('main img').length === 0")
	if err := cluster.Delete(t.Context(), organization); err != nil {
		t.Fatal(err)
	}
	window.Until("!(" + row("org-2shown") + ")")
}

func TestAPageWithoutTheTokenShowsNothing(t *testing.T) {
	page := servePage(t)
	window := browser.Open(t)
	window.Go(page.base + "/#token=" + strings.Repeat("A", len(page.token)))
	window.Until("document.querySelector('.problem')?.innerText.includes('open the address that the command printed')")
	if shown := window.Text("document.body.innerText"); strings.Contains(strings.ToLower(shown), "acme") {
		t.Errorf("it shows %s", shown)
	}
	// Who opens the right address in the same tab gets in.
	window.Go(page.address)
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
}
