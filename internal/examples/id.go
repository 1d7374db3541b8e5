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

package examples

import (
	"crypto/rand"
	"crypto/sha256"
)

// Clerk's ids are KSUIDs: 27 base62 characters after the prefix.
const (
	idLength = 27
	base62   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// ID is an id with this prefix, such as "org", that looks like Clerk's. The same name always gives the same id.
func ID(prefix, name string) string {
	sum := sha256.Sum256([]byte(prefix + " " + name))
	return format(prefix, sum[:])
}

// RandomID is an id with this prefix, such as "msg", that nothing else has.
func RandomID(prefix string) string {
	var random [idLength]byte
	_, _ = rand.Read(random[:]) // never fails
	return format(prefix, random[:])
}

func format(prefix string, noise []byte) string {
	id := make([]byte, 0, len(prefix)+1+idLength)
	id = append(id, prefix...)
	id = append(id, '_')
	for _, b := range noise[:idLength] {
		id = append(id, base62[int(b)%len(base62)])
	}
	return string(id)
}
