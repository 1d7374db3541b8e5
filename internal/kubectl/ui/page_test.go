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

package ui_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/test/browser"
)

const (
	// maxRows is how many rows may be in the document at a time: those on the screen, and a few more.
	maxRows = 60

	// maxRowBytes is how long an organization may be in the list's answer, on average.
	maxRowBytes = 600

	rows = `[aria-label="Organizations"] a.row`
)

// crowd is the page of very many.
type crowd struct {
	*browser.Window
	test *testing.T
}

// few fails where more rows than those on the screen, and a few, are in the document.
func (c crowd) few(where string) {
	c.test.Helper()
	if count := c.Number(fmt.Sprintf("document.querySelectorAll(%q).length", ".rows li")); count > maxRows || count == 0 {
		c.test.Errorf("%s there are %g rows in the document", where, count)
	}
}

// took logs how long something takes, and fails for none.
func (c crowd) took(what string, do func()) {
	c.test.Helper()
	begun := time.Now()
	do()
	c.test.Logf("%s: %s", what, time.Since(begun).Round(time.Millisecond))
}

func TestThePageShowsAThousandOrganizationsWithTenThousandMembers(t *testing.T) {
	c := crowd{browser.Open(t), t}
	c.took("to write them", func() {
		if err := fill(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	apiServer, release, asked := throughProxy(t)
	c.Look(1200, 760, true)
	var page string
	c.took("from the command to the list, without the members", func() {
		page = serve(t, apiServer)
		c.Go(page)
		c.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 10", rows))
	})
	c.Until("document.querySelector('.count').innerText === '1,000 organizations'")
	c.Until("document.querySelector('.notes').innerText.includes('Still being listed: clerkmembers.clerk-operator.io')")
	c.took("from there to the members", func() {
		release()
		c.Until("document.querySelector('.notes').innerText === '' && document.querySelector('.live.good')")
	})
	c.took("to load the page again", func() {
		c.Reload()
		c.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 10", rows))
	})
	t.Logf("the API server was asked %d times", asked.Load())
	c.Until("document.querySelector('.live.good')")
	c.Picture("ui-organizations-dark")
	c.Look(390, 760, false)
	c.Until("document.querySelector('.rows li').style.height === '72px'")
	c.Picture("ui-phone")
	c.Look(1200, 760, false)

	var list kubectl.PageOrganizations
	if size := answer(t, page, "/api/organizations", &list); len(list.Items) != organizationCount || size > organizationCount*maxRowBytes {
		t.Errorf("the list has %d organizations in %d bytes", len(list.Items), size)
	}
	c.scroll()
	c.searchMany()
	c.openLast()
	c.people(page)
	if problems := c.Problems(); len(problems) > 0 {
		t.Errorf("the browser complains of:\n%s", strings.Join(problems, "\n"))
	}
	if hosts := c.Hosts(); len(hosts) != 1 {
		t.Errorf("the page asks %v", hosts)
	}
}

// scroll goes through the list, by keys and by the wheel.
func (c crowd) scroll() {
	c.few("at the beginning")
	c.Press("j" + kb.End)
	c.Until("document.activeElement.closest('li')?.ariaPosInSet === '1000'")
	c.Until(fmt.Sprintf("document.activeElement.innerText.includes(%q)", lastSlug))
	c.few("at the end")
	for range 20 {
		c.Press(kb.PageUp)
	}
	c.Until("Number(document.activeElement.closest('li')?.ariaPosInSet) < 900")
	c.few("in between")
	c.Press(kb.Home)
	c.Until("document.activeElement.closest('li')?.ariaPosInSet === '1'")

	// A screen at a time, a picture each: the longest time between two pictures is what a person sees as a stutter.
	c.Until(`window.scrolled ??= (async () => {
		const box = document.querySelector('.rows')
		const next = () => new Promise(requestAnimationFrame)
		let most = 0, longest = 0, before = performance.now()
		while (box.scrollTop + box.clientHeight < box.scrollHeight - 1) {
			box.scrollTop += box.clientHeight
			await next()
			longest = Math.max(longest, performance.now() - before)
			before = performance.now()
			most = Math.max(most, box.querySelectorAll('li').length)
		}
		window.seen = { most, longest }
	})()`)
	c.Until("window.seen")
	c.test.Logf("to scroll by 1,000 organizations, a screen at a time: at most %.0f ms for one", c.Number("window.seen.longest"))
	if most := c.Number("window.seen.most"); most > maxRows {
		c.test.Errorf("while one scrolls there are %g rows in the document", most)
	}
	c.Until(fmt.Sprintf("[...document.querySelectorAll(%q)].some(row => row.innerText.includes(%q))", rows, lastSlug))
	c.few("at the end, by the wheel")
}

// searchMany searches for organizations by their slugs, each of which finds one and nothing else.
func (c crowd) searchMany() {
	slugs := []string{lastSlug}
	for i := 0; i < organizationCount; i += 10 {
		slugs = append(slugs, slugOf(i))
	}
	asked, err := json.Marshal(slugs)
	if err != nil {
		c.test.Fatal(err)
	}
	c.took(fmt.Sprintf("to search for %d organizations", len(slugs)), func() {
		c.Until(fmt.Sprintf(`window.searched ??= (async () => {
			const missing = []
			const field = document.querySelector('#search')
			for (const slug of %s) {
				field.value = slug
				field.dispatchEvent(new InputEvent('input', { bubbles: true }))
				await new Promise(resolve => setTimeout(resolve))
				const found = [...document.querySelectorAll(%q)].map(row => row.querySelector('b').innerText)
				if (found.length !== 1 || found[0] !== slug) missing.push(slug + ': ' + found.join(', '))
			}
			window.missing = missing
		})()`, asked, rows))
		c.Until("window.missing")
	})
	if missing := c.Texts("window.missing"); len(missing) > 0 {
		c.test.Errorf("%d are not found by their slug: %s", len(missing), missing[:min(len(missing), 10)])
	}
}

// openLast opens the last organization by the keyboard, and comes back.
func (c crowd) openLast() {
	c.Press("/" + lastSlug)
	c.Until(fmt.Sprintf("document.querySelectorAll(%q).length === 1", rows))
	c.Press(kb.Enter)
	c.Until(fmt.Sprintf("document.querySelector('main h1')?.innerText === %q", lastSlug))
	c.Until("document.querySelector('.facts').innerText.includes('10 members')")
	c.Press(kb.Escape)
	c.Until(fmt.Sprintf("document.querySelectorAll(%q).length === 1", rows))
	c.Press("/" + kb.Escape)
	c.Until("document.querySelector('.count').innerText === '1,000 organizations'")
}

// people looks for one of all members, of whom the page gets no more than a screen needs.
func (c crowd) people(page string) {
	base, _, _ := strings.Cut(page, "/#token=")
	c.took("to show the first people", func() {
		c.Go(base + "/#/people")
		c.Until("document.querySelector('.count')?.innerText.includes('10,000 people')")
	})
	c.few("of people")
	var found kubectl.PagePeople
	if size := answer(c.test, page, "/api/people", &found); found.Total != memberCount || len(found.Items) > 200 || size > 200*maxRowBytes {
		c.test.Errorf("the answer has %d of %d people in %d bytes", len(found.Items), found.Total, size)
	}
	last := addressOf(memberCount - 1)
	c.took("to search for the last member", func() {
		c.Press("/" + last)
		c.Until("document.querySelectorAll('a.person').length === 1")
	})
	if have := c.Texts("[...document.querySelectorAll('a.person b')].map(name => name.innerText)"); !slices.Equal(have, []string{last}) {
		c.test.Errorf("%s finds %v", last, have)
	}
	c.Press(kb.Enter)
	c.Until(fmt.Sprintf("document.querySelector('main h1')?.innerText === %q", last))
}
