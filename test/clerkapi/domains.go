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

package clerkapi

import (
	"net/http"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// SetDomain creates or changes a domain of an organization.
func (a *API) SetDomain(d clerktest.Domain) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.domains.set(d.ID, firstOf(d.CreatedAt, d.UpdatedAt), d)
}

// DeleteDomain deletes a domain.
func (a *API) DeleteDomain(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.domains.remove(id)
}

// listDomains lists those of all organizations, or of one.
func (a *API) listDomains(r *http.Request) (any, error) {
	id := r.URL.Query().Get("organization_id")
	rows := a.domains.where(func(row *entry[clerktest.Domain]) bool { return id == "" || row.value.OrganizationID == id })
	return page(r, rows, clerktest.DomainObject)
}
