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

// Package docs_test looks that the documentation leads somewhere: every link, every anchor, and the page that lists all pages.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

var (
	fenced   = regexp.MustCompile("(?s)\n *```.*?\n *```")
	code     = regexp.MustCompile("`[^`\n]*`")
	links    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
	anchors  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	// unsluggable is what GitHub leaves out of a heading's anchor.
	unsluggable = regexp.MustCompile(`[^\p{L}\p{N}\p{M} _-]`)
)

// skipped are folders that hold no pages of this repository.
var skipped = map[string]bool{"bin": true, ".git": true, "node_modules": true, ".site": true, ".cache": true}

// pages are the Markdown files of the repository by path, without what stands in fences.
func pages(t *testing.T) (root string, found map[string]string) {
	t.Helper()
	root, err := controlplane.Root()
	if err != nil {
		t.Fatal(err)
	}
	found = map[string]string{}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && skipped[entry.Name()] {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		content, err := os.ReadFile(path)
		found[path] = fenced.ReplaceAllString(string(content), "")
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return root, found
}

// anchorsOf are the anchors that GitHub gives to a page's headings.
func anchorsOf(page string) map[string]bool {
	found := map[string]bool{}
	for _, heading := range headings.FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading[1], "$1")
		slug := strings.ReplaceAll(unsluggable.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		found[slug] = true
	}
	for _, anchor := range anchors.FindAllStringSubmatch(page, -1) {
		found[anchor[1]] = true
	}
	return found
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	root, pages := pages(t)
	for path, page := range pages {
		from, _ := filepath.Rel(root, path)
		for _, link := range links.FindAllStringSubmatch(code.ReplaceAllString(page, ""), -1) {
			if strings.Contains(link[1], "://") || strings.HasPrefix(link[1], "mailto:") {
				continue
			}
			target, anchor, _ := strings.Cut(link[1], "#")
			to := path
			if target != "" {
				to = filepath.Join(filepath.Dir(path), filepath.FromSlash(target))
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: the link %s leads nowhere", from, link[1])
			} else if anchor != "" && filepath.Ext(to) == ".md" && !anchorsOf(pages[to])[anchor] {
				t.Errorf("%s: the link %s has an anchor that its page has not", from, link[1])
			}
		}
	}
}

// Whoever looks for a page finds it: docs/README.md leads there, or a page to which that leads.
func TestTheIndexLeadsToEveryPage(t *testing.T) {
	t.Parallel()
	root, pages := pages(t)
	docs := filepath.Join(root, "docs")
	reached := map[string]bool{}
	next := []string{filepath.Join(docs, "README.md")}
	for len(next) > 0 {
		path := next[0]
		next = next[1:]
		if reached[path] {
			continue
		}
		reached[path] = true
		for _, link := range links.FindAllStringSubmatch(pages[path], -1) {
			target, _, _ := strings.Cut(link[1], "#")
			if filepath.Ext(target) == ".md" && !strings.Contains(target, "://") {
				next = append(next, filepath.Join(filepath.Dir(path), filepath.FromSlash(target)))
			}
		}
	}
	for path := range pages {
		if strings.HasPrefix(path, docs+string(filepath.Separator)) && !reached[path] {
			t.Errorf("no page that docs/README.md leads to has a link to %s", path)
		}
	}
}
