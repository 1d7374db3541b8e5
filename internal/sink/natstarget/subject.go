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

package natstarget

import "strings"

// none stands for what is not there, so that a subject always has as many tokens.
const none = "_"

// Subject is where an event goes: <prefix>.<instance>.<organization, or _>.<entity>.<action>. Whatever the parts hold, each is one token,
// without wildcards.
func Subject(prefix, instance, organization, eventType string) string {
	entity, action, _ := strings.Cut(eventType, ".")
	return strings.Join([]string{prefix, token(instance), token(organization), token(entity), token(action)}, ".")
}

// token keeps letters, digits, '-' and '_'. A dot within the name of a ClerkInstance becomes '_', which no such name holds: two names never
// give the same token.
func token(text string) string {
	if text == "" {
		return none
	}
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, text)
}
