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

package clerktest

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/clerk-operator/clerk-operator/internal/examples"
)

// secretLength is how many bytes Svix' signing secrets have.
const secretLength = 24

// ID is an id with this prefix, such as "org", that looks like Clerk's. The same name always gives the same id, here and in
// kubectl clerk send.
func ID(prefix, name string) string { return examples.ID(prefix, name) }

// RandomID is an id with this prefix, such as "msg", that nothing else has.
func RandomID(prefix string) string { return examples.RandomID(prefix) }

// NewSecret is a fresh signing secret, as Clerk's dashboard shows it.
func NewSecret() string {
	var key [secretLength]byte
	_, _ = rand.Read(key[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key[:])
}
