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

package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
)

// HasUser tells whether a user exists. Only Clerk's own word makes it false.
func (c *Client) HasUser(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/users/"+url.PathEscape(id), id)
}

// HasRole tells whether a role exists. Only Clerk's own word makes it false.
func (c *Client) HasRole(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/organization_roles/"+url.PathEscape(id), id)
}

// HasPermission tells whether a permission exists. Only Clerk's own word makes it false.
func (c *Client) HasPermission(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/organization_permissions/"+url.PathEscape(id), id)
}

// HasOrganization tells whether an organization exists. Only Clerk's own word makes it false.
func (c *Client) HasOrganization(ctx context.Context, id string) (bool, error) {
	return c.has(ctx, "/organizations/"+url.PathEscape(id), id)
}

// HasMembership tells whether a membership exists. Someone who left and joined again has another.
//
// Clerk is asked for this user's memberships of the organization. Its schema does not say whether the answer's total_count is theirs or all
// members': where the answer does not prove itself whole, all members are listed, and that list does.
func (c *Client) HasMembership(ctx context.Context, id, organizationID, userID string) (bool, error) {
	var answer pageJSON
	path := membershipsPath(organizationID)
	err := c.get(ctx, path, url.Values{"user_id": {userID}, "limit": {strconv.Itoa(maxFilterIDs)}}, &answer)
	if IsGone(err) {
		return c.hasOrganizationOf(ctx, organizationID, path)
	}
	if err != nil {
		return false, err
	}
	if answer.Data == nil || answer.TotalCount == nil {
		return false, fmt.Errorf("GET %s: the answer is no page of a list", path)
	}
	w := walker{}
	rows := w.read(answer.Data)
	if slices.ContainsFunc(rows, func(r row) bool { return r.id == id }) {
		return true, nil
	}
	if w.gap == "" && *answer.TotalCount == len(rows) && areAllOf(userID, rows) {
		return false, nil
	}
	return c.isMemberByList(ctx, id, organizationID)
}

func membershipsPath(organizationID string) string {
	return "/organizations/" + url.PathEscape(organizationID) + "/memberships"
}

// hasOrganizationOf tells, after a 404 for memberships, whether it is the organization that is not found.
func (c *Client) hasOrganizationOf(ctx context.Context, organizationID, path string) (bool, error) {
	exists, err := c.HasOrganization(ctx, organizationID)
	if err == nil && exists {
		err = fmt.Errorf("GET %s: not found, although the organization exists", path)
	}
	return exists, err
}

// areAllOf tells whether memberships are all of one user. A filter that is not obeyed gives others.
func areAllOf(userID string, rows []row) bool {
	for _, row := range rows {
		var membership struct {
			User struct {
				ID string `json:"user_id"`
			} `json:"public_user_data"`
		}
		if err := json.Unmarshal(row.raw, &membership); err != nil || membership.User.ID != userID {
			return false
		}
	}
	return true
}

// isMemberByList looks for a membership in the list of all members of its organization, which is read once: an id that is not in a list
// that was read since will never be, as whoever joins again gets another.
func (c *Client) isMemberByList(ctx context.Context, id, organizationID string) (bool, error) {
	members, known := c.members[organizationID]
	if !known {
		// The rows are not decoded: the ids are enough.
		listing, err := c.walk(ctx, membershipsPath(organizationID), func(json.RawMessage) (clerk.Data, error) { return nil, nil },
			func(Page) error { return nil })
		if err != nil {
			return false, err
		}
		if listing.Gap != "" {
			return false, fmt.Errorf("GET %s: %s", membershipsPath(organizationID), listing.Gap)
		}
		members = listing
		c.members[organizationID] = members
	}
	return members.Has(id), nil
}

// HasDomain tells whether an organization has a domain. Clerk answers no question about a single one, so all of the organization are
// listed, once: an id that is not in a list that was read since will never be, as a domain that is claimed again gets another.
func (c *Client) HasDomain(ctx context.Context, id, organizationID string) (bool, error) {
	domains, known := c.domains[organizationID]
	if !known {
		listing, err := c.walkSome(ctx, "/organization_domains", url.Values{"organization_id": {organizationID}},
			func(json.RawMessage) (clerk.Data, error) { return nil, nil }, func(Page) error { return nil })
		if err != nil && IsGone(err) {
			exists, err := c.HasOrganization(ctx, organizationID)
			if err == nil && exists {
				err = errors.New("GET /organization_domains: Clerk does not know an organization that it has")
			}
			return false, err
		}
		if err != nil {
			return false, err
		}
		if listing.Gap != "" {
			return false, fmt.Errorf("GET /organization_domains: %s", listing.Gap)
		}
		domains = listing
		c.domains[organizationID] = domains
	}
	return domains.Has(id), nil
}

// has tells whether a single object exists, and that it is the one that was asked for.
func (c *Client) has(ctx context.Context, path, id string) (bool, error) {
	var answer struct {
		ID string `json:"id"`
	}
	err := c.get(ctx, path, nil, &answer)
	if IsGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if answer.ID != id {
		return false, fmt.Errorf("GET %s: %w", path, &APIError{Status: http.StatusOK, Reason: "the answer is about something else"})
	}
	return true, nil
}
