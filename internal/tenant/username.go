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

// Errors of a user who has no name in RBAC yet, but may get one.
var (
	// ErrUserNotMirrored: the expression needs more of the user than a membership tells.
	ErrUserNotMirrored = errors.New("the expression needs more than a membership tells, and the user is not mirrored")

	// ErrEmailNotVerified: the expression needs the user's e-mail address, and there is none that is verified.
	ErrEmailNotVerified = errors.New("the user has no verified primary e-mail address")
)

// Fields of `user` that matter here.
const (
	fieldID           = "id"
	fieldUsername     = "username"
	fieldPrimaryEmail = "primaryEmail"

	fieldMembers          = "members"
	fieldTwoFactorEnabled = "twoFactorEnabled"
	fieldExternalManaged  = "externalManaged"
)

// Username gives users their names in RBAC.
type Username struct {
	template *Template

	// needsUser: it reads what only a ClerkUser has. needsEmail: it reads the e-mail address without asking whether there is one.
	needsUser, needsEmail bool
}

// CompileUsername compiles ClerkInstance.spec.username.
func CompileUsername(source string) (*Username, error) {
	template, err := userScope.template(source)
	if err != nil {
		return nil, err
	}
	template.filled = true // "clerk:${user.username}" would be the same name for everyone without a user name
	username := &Username{template: template}
	for _, part := range template.parts {
		if part.ast == nil {
			continue
		}
		reads := part.ast.fields[variableUser]
		for field := range reads {
			username.needsUser = username.needsUser || field != fieldID && field != fieldUsername
		}
		username.needsEmail = username.needsEmail || reads[fieldPrimaryEmail] == unasked
	}
	return username, nil
}

// NeedsUser tells whether it reads what only a ClerkUser has.
func (u *Username) NeedsUser() bool { return u.needsUser }

// Of is the user's name in RBAC. The error says why there is none.
func (u *Username) Of(user User) (string, error) {
	if u.needsUser && !user.mirrored {
		return "", ErrUserNotMirrored
	}
	if u.needsEmail && user.PrimaryEmail == "" {
		return "", ErrEmailNotVerified // "clerk:" + user.primaryEmail would be the same name for everyone without
	}
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
