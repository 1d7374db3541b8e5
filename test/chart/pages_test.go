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
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// yamlBlock is a block of YAML on a page, with its indent.
var yamlBlock = regexp.MustCompile("(?s)\n( *)```yaml\n(.*?)\n *```")

// The values that pages show are ones of the chart, and render to objects that the API server takes.
func TestTheValuesThatPagesShowAreAccepted(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]any{}
	if err := yaml.Unmarshal(content, &known); err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join(chart, "..", "..", "docs")
	for page, want := range map[string]int{
		"install.md": 3, "expose.md": 4, "database.md": 1, "tutorials/production.md": 1, "how-to/velero.md": 1, "how-to/external-secrets.md": 1,
	} {
		shown := valuesOn(t, filepath.Join(docs, page), known)
		if len(shown) < want {
			t.Errorf("%s shows %d times values of the chart, want %d", page, len(shown), want)
		}
		for i, text := range shown {
			t.Run(fmt.Sprintf("%s %d", page, i+1), func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "values.yaml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				more := []string{"--set", "image.repository=registry.example.com/clerk-operator"}
				if !strings.Contains(text, "existingSecret") {
					more = append(more, "--set", "clerk.signingSecret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
				}
				accepted(t, render(t, file, more...))
			})
		}
	}
}

// valuesOn are the blocks of a page that are values of the chart: whose keys are all known.
func valuesOn(t *testing.T, page string, known map[string]any) (shown []string) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(content), -1) {
		text := regexp.MustCompile("(?m)^"+block[1]).ReplaceAllString(block[2], "")
		values := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &values); err != nil {
			t.Fatalf("%s: %v\n%s", page, err, text)
		}
		isValues := len(values) > 0
		for key := range values {
			_, found := known[key]
			isValues = isValues && found
		}
		if isValues {
			shown = append(shown, text)
		}
	}
	return shown
}
