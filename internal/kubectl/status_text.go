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
	"cmp"
	"fmt"
	"strings"
)

// maxNotReady is how many objects that are not ready are shown to people, unless they ask for all.
const maxNotReady = 25

func (found *Status) names() []string {
	names := make([]string, len(found.NotReady))
	for i, object := range found.NotReady {
		names[i] = reference(strings.ToLower(object.Kind), object.Name)
	}
	return names
}

func (found *Status) text(out *page) {
	if len(found.Instances) == 0 {
		out.line("There is no ClerkInstance: nothing is heard from Clerk. Create one, as the chart does.")
	} else {
		rows := make([][]cell, len(found.Instances))
		for i := range found.Instances {
			rows[i] = found.Instances[i].row(out)
		}
		out.table("", []string{"INSTANCE", "READY", "MODE", "LAST EVENT", "LAST REFUSAL", "LAST RESYNC", "DRIFT"}, rows)
	}
	out.line("")
	out.line("%s", strings.Join(found.counts(out), ", "))
	if len(found.NotReady) == 0 {
		out.line("%s", out.in(green, "All is well."))
		return
	}
	shown := found.NotReady
	if !out.wide && len(shown) > maxNotReady {
		shown = shown[:maxNotReady]
	}
	for _, object := range shown {
		out.line("\n%s %s %s: %s", out.in(red, "✗"), object.Kind, out.in(bold, cmp.Or(object.Title, object.Name)), out.in(red, object.Reason))
		out.paragraph("  ", "  ", object.Message, plain)
	}
	if rest := len(found.NotReady) - len(shown); rest > 0 {
		out.line("\nand %d more: -o wide shows them", rest)
	}
}

func (i *StatusInstance) row(out *page) []cell {
	ready := cell{"True", green}
	if !i.Ready {
		ready = cell{"False", red}
	}
	event, refusal, resync := "never", "", ""
	if i.LastEvent != nil {
		event = out.ago(i.LastEvent)
	}
	if i.LastRefusal != nil {
		refusal = fmt.Sprintf("%s, %s", out.ago(i.LastRefusal), i.LastRefusalReason)
	}
	if i.LastResync != nil {
		resync = fmt.Sprintf("%s, %s", out.ago(i.LastResync), i.LastResyncResult)
	}
	return []cell{{text: i.Name, look: bold}, ready, {text: i.Mode}, {text: event}, {text: refusal}, {text: resync}, {text: number(i.Drift)}}
}

// counts says how many there are of each kind, and how many of them are ready.
func (found *Status) counts(out *page) []string {
	var texts []string
	add := func(count StatusCount, one, many, ready string) {
		text := counted(count.Total, one, many)
		if count.Ready != count.Total {
			text += out.in(yellow, fmt.Sprintf(" (%d %s)", count.Ready, ready))
		}
		texts = append(texts, text)
	}
	add(found.Classes, "class", "classes", "ready")
	add(found.Tenants, "organization", "organizations", "ready")
	if found.Members != nil {
		add(*found.Members, "member", "members", "with access")
	}
	for _, objects := range []struct {
		list      []StatusObject
		one, many string
	}{{found.Sinks, "sink", "sinks"}, {found.Databases, "database", "databases"}, {found.Grants, "cluster grant", "cluster grants"}} {
		if len(objects.list) == 0 {
			continue
		}
		var count StatusCount
		for _, object := range objects.list {
			count.add(object)
		}
		add(count, objects.one, objects.many, "ready")
	}
	return texts
}
