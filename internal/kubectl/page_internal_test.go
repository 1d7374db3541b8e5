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

package kubectl

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/me"
)

// printedKinds are the answers that are printed as JSON and YAML.
var printedKinds = map[string]any{
	"Why": Why{}, "Who": Who{}, "Tree": Tree{}, "Mine": Mine{}, "Plan": Plan{}, "Status": Status{}, "Doctor": Doctor{}, "Resync": Resync{},
	"Prune": Prune{}, "Events": Events{}, "Send": Send{}, "EventTypes": EventTypes{},
}

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "kubectl.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the page says of each kind are the fields that it has: no fewer, and none that are gone.
func TestThePageHasTheFieldsOfEveryKind(t *testing.T) {
	t.Parallel()
	documented := map[string][]string{}
	_, table, _ := strings.Cut(readPage(t), "| Kind | Fields |")
	quoted := regexp.MustCompile("`([a-z][A-Za-z]*)(\\[\\])?`")
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z][A-Za-z]*)` \\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		fields := []string{}
		for _, field := range quoted.FindAllStringSubmatch(row[2], -1) {
			fields = append(fields, field[1])
		}
		slices.Sort(fields)
		documented[row[1]] = slices.Compact(fields)
	}
	printed := map[string][]string{}
	for kind, answer := range printedKinds {
		fields := fieldsOf(reflect.TypeOf(answer))
		slices.Sort(fields)
		printed[kind] = slices.Compact(fields)
	}
	if diff := cmp.Diff(printed, documented); diff != "" {
		t.Errorf("docs/kubectl.md is not true (-what is printed +what the page says):\n%s", diff)
	}
}

// fieldsOf are the names of all fields, also of those within that are the plugin's own. Of what a resync found and of Kubernetes' types,
// pages of their own tell.
func fieldsOf(kind reflect.Type) (names []string) {
	switch kind.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fieldsOf(kind.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	own := []string{reflect.TypeFor[Why]().PkgPath(), reflect.TypeFor[me.Mine]().PkgPath()}
	if !slices.Contains(own, kind.PkgPath()) && kind != reflect.TypeFor[v1alpha1.MemberBinding]() {
		return nil
	}
	for field := range kind.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
		names = append(names, fieldsOf(field.Type)...)
	}
	return names
}

// The exit codes that a command's help tells are those of the page, word by word.
func TestThePageHasTheExitCodesOfEveryCommand(t *testing.T) {
	t.Parallel()
	page := plainText(readPage(t))
	count := 0
	var look func(*cobra.Command)
	look = func(command *cobra.Command) {
		for _, sub := range command.Commands() {
			look(sub)
		}
		_, codes, told := strings.Cut(command.Long, "Exit code: ")
		if !told {
			return
		}
		count++
		_, section, there := strings.Cut(page, " ## "+topOf(command)+" ")
		section, _, _ = strings.Cut(section, " ## ")
		if !there || !strings.Contains(section, strings.TrimSuffix(plainText(codes), ".")) {
			t.Errorf("docs/kubectl.md does not say of %s what its help does: %s", command.CommandPath(), codes)
		}
	}
	look((&plugin{config: newConfig()}).command())
	if count < 12 {
		t.Errorf("%d commands tell their exit codes, want 12 or more", count)
	}
}

// topOf is the command of the page's section.
func topOf(command *cobra.Command) string {
	for command.Parent().HasParent() {
		command = command.Parent()
	}
	return command.Name()
}

// plainText is a text without its form.
func plainText(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "")), " ")
}
