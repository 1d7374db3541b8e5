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

package v1alpha1

import "strings"

// ObjectName is the name of the mirrored object of a Clerk id: the ClerkInstance that it was heard from, a full stop, and the id in lower
// case, with '-' for '_'. So no ClerkInstance can take the place of another one's object. No id holds a full stop.
func ObjectName(instance, id string) string {
	return instance + "." + strings.ReplaceAll(strings.ToLower(id), "_", "-")
}
