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

package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	classes "github.com/clerk-operator/clerk-operator/internal/tenant"
)

// The API server takes every class of the guide as it stands, and each compiles.
func TestEveryClassOfTheGuideIsAccepted(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "tenantclass.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.+?\n)```\n").FindAllSubmatch(page, -1)
	if len(blocks) < 10 {
		t.Fatalf("the guide has %d examples", len(blocks))
	}
	for i, block := range blocks {
		file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, block[1], 0o600); err != nil {
			t.Fatal(err)
		}
		if output := mustKubectl(t, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", file); strings.Contains(output, "Warning") {
			t.Error(output)
		}
		for document := range strings.SplitSeq(string(block[1]), "---\n") {
			var class v1alpha1.TenantClass
			if err := yaml.UnmarshalStrict([]byte(document), &class); err != nil {
				t.Fatal(err)
			}
			if _, err := classes.CompileClass(&class); err != nil {
				t.Errorf("%s: %v", class.Name, err)
			}
		}
	}
}
