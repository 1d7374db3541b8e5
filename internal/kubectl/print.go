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
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// viewVersion is the apiVersion of what is printed as JSON and YAML. Fields are added within it, and none is changed or taken away.
const viewVersion = "cli.clerk-operator.io/v1alpha1"

func view(kind string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: viewVersion, Kind: kind} }

// answer is what a command found out, which is printed in any form.
type answer interface {
	// text prints it for people.
	text(out *page)

	// names are the objects that it is about, each as <resource>/<name>.
	names() []string
}

// Forms of output.
const (
	formJSON = "json"
	formYAML = "yaml"
	formName = "name"
	formWide = "wide"
)

// checkOutput says what is wrong with the flags of output, before anything is asked.
func (p *plugin) checkOutput() error {
	switch p.output {
	case "", formJSON, formYAML, formName, formWide:
	default:
		return fmt.Errorf("there is no output %q: use json, yaml, name or wide", p.output)
	}
	switch p.color {
	case "auto", "always", "never":
		return nil
	}
	return fmt.Errorf("--color is auto, always or never, not %q", p.color)
}

// print prints an answer, which has to be a pointer. What comes of objects loses its control characters first, in every form.
func (p *plugin) print(found answer) error {
	cleanAll(reflect.ValueOf(found))
	out := p.Streams.Out
	switch p.output {
	case formJSON:
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(found); err != nil {
			return err
		}
		_, err := out.Write(text.Bytes())
		return err
	case formYAML:
		text, err := yaml.Marshal(found)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	case formName:
		for _, name := range found.names() {
			if _, err := fmt.Fprintln(out, name); err != nil {
				return err
			}
		}
		return nil
	}
	page := &page{colored: p.colored(out), wide: p.output == formWide, now: p.Now()}
	found.text(page)
	_, err := io.WriteString(out, page.String())
	return err
}

// escapeSequences are what terminals obey: colors, movements of the cursor, titles.
var escapeSequences = regexp.MustCompile(`(?:\x1b\[|\x{9b})[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]|\x1b\][^\x07\x1b]*`)

// clean leaves out what would move the cursor, change colors or turn the direction of writing, and puts lines into one.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, escapeSequences.ReplaceAllString(text, ""))
}

// cleanAll cleans every string that can be reached from a value.
func cleanAll(value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			cleanAll(value.Elem())
		}
	case reflect.Struct:
		if value.Type() == reflect.TypeFor[metav1.Time]() {
			return
		}
		for _, field := range value.Fields() {
			cleanAll(field)
		}
	case reflect.Slice:
		for i := range value.Len() {
			cleanAll(value.Index(i))
		}
	case reflect.String:
		if value.CanSet() {
			value.SetString(clean(value.String()))
		}
	case reflect.Map:
		cleanMap(value)
	}
}

// cleanMap cleans the keys and values of a map of strings.
func cleanMap(value reflect.Value) {
	texts, ok := reflect.TypeAssert[map[string]string](value)
	if !ok {
		return
	}
	for key, text := range texts {
		delete(texts, key)
		texts[clean(key)] = clean(text)
	}
}
