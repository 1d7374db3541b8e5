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

package tenant

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// maxSubject bounds a user's name in RBAC, in bytes; names of the API server's authenticators are far shorter.
const maxSubject = 256

// systemPrefix begins the names that Kubernetes keeps for itself.
const systemPrefix = "system:"

// Username gives users their names in RBAC.
type Username struct {
	template *Template
}

// CompileUsername compiles ClerkInstance.spec.username.
func CompileUsername(source string) (*Username, error) {
	template, err := userScope.template(source)
	if err != nil {
		return nil, err
	}
	template.filled = true // "clerk:${user.username}" would be the same name for everyone without a user name
	return &Username{template: template}, nil
}

// Of is the user's name in RBAC. The error says why there is none.
func (u *Username) Of(user User) (string, error) {
	name, err := u.template.expand(map[string]any{"user": user})
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(name) == "":
		return "", errors.New("the user name is empty")
	case strings.HasPrefix(strings.TrimSpace(name), systemPrefix):
		return "", fmt.Errorf("the user name begins with %q, which Kubernetes keeps for itself", systemPrefix)
	case len(name) > maxSubject:
		return "", fmt.Errorf("the user name is over %d bytes long", maxSubject)
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", errors.New("the user name has control characters")
	}
	return name, nil
}
