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

package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// place is where things are, for the person who reads of them.
type place struct {
	url, kubectl string
}

// placeAt names things as they are seen from the repository's folder.
func placeAt(root, url, kubectl string) place {
	if relative, err := filepath.Rel(root, kubectl); err == nil && filepath.IsLocal(relative) {
		kubectl = relative
	}
	return place{url: url, kubectl: kubectl}
}

// instructions say what there is and how to use it.
func instructions(s settings, p place) string {
	text := "\nEverything is up, until Ctrl-C.\n\n"
	if s.real {
		text += realClerk(s, p)
	} else {
		text += madeUp(s, p)
	}
	return text + "The operator's log:\n\n"
}

// realClerk says what is heard of a person's own Clerk application, and what is missing for the rest. It repeats no secret.
func realClerk(s settings, p place) string {
	rows := [][2]string{
		{"Mode", describeMode(s.Mode)}, {"API key", describeKey(s)}, {"Signing secret", describeSecrets(s, p)}, {"Logs", logFolder},
	}
	if s.sink != nil {
		rows = slices.Insert(rows, len(rows)-1, [2]string{"Sink", s.sink.describe(p)})
	}
	var text strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&text, "  %-15s %s\n", row[0], strings.ReplaceAll(row[1], "\n", "\n"+strings.Repeat(" ", 18)))
	}
	fmt.Fprintf(&text, `
In another terminal, in this folder:

  export KUBECONFIG=$PWD/bin/kubeconfig
  %[1]s get clerkinstances
  %[1]s get clerkorganizations -o wide
  %[1]s get clerkmembers
`, p.kubectl)
	if s.sink != nil {
		fmt.Fprintf(&text, "  %s get clerksinks -o wide\n", p.kubectl)
	}
	if s.Mode == v1alpha1.ModeObserve {
		fmt.Fprintf(&text, `
What would be done is in the column MESSAGE of the organizations. To have it done, in this cluster, which goes with Ctrl-C:

  %s patch clerkinstance default --type=merge -p '{"spec":{"mode":"Enforce"}}'
`, p.kubectl)
	}
	return text.String() + "\n"
}

func describeMode(mode v1alpha1.InstanceMode) string {
	if mode == v1alpha1.ModeObserve {
		return "Observe: nothing is touched; the organizations' statuses say what would be done"
	}
	return "Enforce: organizations get what their class says, in this cluster alone (" + modeVariable + "=Observe says it only)"
}

func describeKey(s settings) string {
	if s.APIKey == "" {
		return "missing (" + keyVariable + "): what is there already is not listed,\nand what webhooks lose is not found"
	}
	return "given: all there is is listed now, and every hour, from " + cmp.Or(s.APIURL, clerkURL)
}

func describeSecrets(s settings, p place) string {
	if len(s.SigningSecrets) == 0 {
		return "missing (" + secretVariable + "): no webhook is accepted;\na change in Clerk is seen by the next listing"
	}
	return fmt.Sprintf(`given (%d): signed deliveries are accepted at
  %[2]s
Clerk cannot reach this machine: enter the URL of a tunnel to it, with the same path, in
Clerk's dashboard (Configure, Webhooks). Clerk's own command line has such a tunnel:
  npx clerk webhooks listen --forward-to %[2]s`, len(s.SigningSecrets), p.url)
}

// sendCommand plays Clerk: what comes after it says which event is sent.
func sendCommand(url string) string {
	return "go run ./cmd/kubectl-clerk send --instance default --url " + url + " --yes"
}

// madeUp says how to play Clerk.
func madeUp(s settings, p place) string {
	return fmt.Sprintf(`  Clerk           made up: set %[6]s (what there is) or %[7]s (webhooks) for yours
  Deliveries      %[1]s
  Signing secret  %[2]s
  Logs            %[5]s

In another terminal, in this folder: send signed deliveries, and see what becomes of them.

  export KUBECONFIG=$PWD/bin/kubeconfig
  export CLERK_SIGNING_SECRET=%[2]s
  export SEND="%[8]s"
  $SEND organization.created --organization acme
  $SEND organizationMembership.created --organization acme --user jane --role org:admin
  %[3]s get clerkorganizations,clerkmembers
  %[3]s auth can-i create deployments -n org-acme --as %[4]s
  $SEND organizationMembership.deleted --organization acme --user jane
  $SEND --list     (what else can be sent; docs/kubectl.md says how to do so with curl and openssl)

`, p.url, s.SigningSecrets[0], p.kubectl, "clerk:"+clerktest.ID("user", "jane"), logFolder, keyVariable, secretVariable, sendCommand(p.url))
}
