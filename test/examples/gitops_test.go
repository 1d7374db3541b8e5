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
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// condition is one of an object's, as a health check reads it.
func condition(kind, status, reason string, generation int64) any {
	return map[string]any{
		"type": kind, "status": status, "reason": reason, "message": "a sentence", "observedGeneration": generation,
		"lastTransitionTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z"),
	}
}

// Argo CD's health check says of each state what the conditions say. It is run by the interpreter that Argo CD runs it with.
func TestArgoCDKnowsTheHealth(t *testing.T) {
	t.Parallel()
	config := documents(t, filepath.Join(folder, "argo-cd", "health.yaml"))[0]
	checks := config["data"].(map[string]any)
	for name, row := range map[string]struct {
		conditions []any
		want       string
	}{
		"nothing said yet":          {nil, "Progressing"},
		"ready":                     {[]any{condition("Ready", "True", "Ready", 2)}, "Healthy"},
		"said of an older spec":     {[]any{condition("Ready", "True", "Ready", 1)}, "Progressing"},
		"at work":                   {[]any{condition("Ready", "False", "Progressing", 2)}, "Progressing"},
		"waits for somebody to act": {[]any{condition("Ready", "False", "SecretNotFound", 2)}, "Degraded"},
		"other conditions say nothing": {
			[]any{condition("Synced", "False", "Incomplete", 2), condition("Ready", "True", "Ready", 2)}, "Healthy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"generation": int64(2)}}}
			if row.conditions != nil {
				object.Object["status"] = map[string]any{"conditions": row.conditions}
			}
			for _, kind := range []string{"ClerkInstance", "TenantClass", "ClerkSink"} {
				script, found := checks["resource.customizations.health.clerk-operator.io_"+kind].(string)
				if !found {
					t.Fatalf("no health check of a %s", kind)
				}
				if got := health(t, script, object); got != row.want {
					t.Errorf("a %s is %s, want %s", kind, got, row.want)
				}
			}
		})
	}
}

// health runs a health check of Argo CD's on an object.
func health(t *testing.T, script string, object *unstructured.Unstructured) string {
	t.Helper()
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", luaValue(state, object.Object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	answer, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		t.Fatalf("the health check gives %v", state.Get(-1))
	}
	return answer.RawGetString("status").String()
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, entry := range value {
			table.RawSetString(key, luaValue(state, entry))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, entry := range value {
			table.Append(luaValue(state, entry))
		}
		return table
	case int64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	}
	return lua.LNil
}

// The chart takes the values that Argo CD and Flux give it.
func TestTheChartTakesTheValuesOfGitOps(t *testing.T) {
	t.Parallel()
	helm := filepath.Join(root, "bin", "helm")
	if _, err := os.Stat(helm); err != nil {
		t.Fatalf("no helm: %v: run make helm", err)
	}
	application := documents(t, filepath.Join(folder, "argo-cd", "application.yaml"))[0]
	release := documents(t, filepath.Join(folder, "flux", "clerk-operator.yaml"))[1]
	for name, path := range map[string][]string{
		"argo-cd": {"spec", "source", "helm", "valuesObject"},
		"flux":    {"spec", "values"},
	} {
		object := map[string]map[string]any{"argo-cd": application, "flux": release}[name]
		values, found, err := unstructured.NestedMap(jsonOf(t, object), path...)
		if err != nil || !found {
			t.Fatalf("%s has no values: %v", name, err)
		}
		content, err := yaml.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), helm, "template", "clerk-operator", filepath.Join(root, "charts", "clerk-operator"),
			"--namespace=clerk-operator-system", "--include-crds", "--values=-")
		command.Stdin = bytes.NewReader(content)
		if output, err := command.CombinedOutput(); err != nil || !bytes.Contains(output, []byte("kind: Deployment")) {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
}

// jsonOf is an object with the numbers that JSON gives, which a deep copy of an unstructured one takes.
func jsonOf(t *testing.T, object map[string]any) (copied map[string]any) {
	t.Helper()
	content, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	decoded := &unstructured.Unstructured{}
	if err := decoded.UnmarshalJSON(content); err != nil {
		t.Fatal(err)
	}
	return decoded.Object
}
