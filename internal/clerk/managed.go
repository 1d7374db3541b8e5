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

package clerk

// accountsJSON is what a user's payload tells of who manages the user.
type accountsJSON struct {
	Enterprise lax[[]lax[enterpriseAccountJSON]] `json:"enterprise_accounts"`
	SAML       lax[[]lax[enterpriseAccountJSON]] `json:"saml_accounts"`
	Directory  lax[*directoryJSON]               `json:"scim"`
}

// enterpriseAccountJSON is an account at an identity provider of an enterprise.
type enterpriseAccountJSON struct {
	Active       lax[bool] `json:"active"`
	Verification lax[struct {
		Status string `json:"status"`
	}] `json:"verification"`
}

// directoryJSON is a user's link to a directory. Only webhooks carry it, and only where there is one.
type directoryJSON struct {
	Enabled lax[bool] `json:"directory_enabled"`
}

// isProvisioned tells whether a directory that is enabled provisions the user.
func (a *accountsJSON) isProvisioned(dropped *losses) bool {
	if a.Directory.isOdd || a.Directory.value != nil && a.Directory.value.Enabled.isOdd {
		dropped.note(FieldDirectory)
	}
	return a.Directory.value != nil && a.Directory.value.Enabled.value
}

// hasEnterpriseAccount tells whether the user has an enterprise account that is active and verified. It is nil where the payload tells of
// none, and where what cannot be read might be one.
func (a *accountsJSON) hasEnterpriseAccount(dropped *losses) *bool {
	isOdd := a.Enterprise.isOdd || a.SAML.isOdd
	for _, accounts := range [][]lax[enterpriseAccountJSON]{a.Enterprise.value, a.SAML.value} {
		for _, account := range accounts {
			isOdd = isOdd || account.isOdd || account.value.Active.isOdd || account.value.Verification.isOdd
			if account.value.Active.value && account.value.Verification.value.Status == verified {
				return new(true)
			}
		}
	}
	switch {
	case isOdd:
		dropped.note(FieldEnterpriseAccount)
		return nil
	case a.Enterprise.value == nil && a.SAML.value == nil:
		return nil
	}
	return new(false)
}
