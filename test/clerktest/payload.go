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
	"strings"
	"time"
)

// What Clerk's JSON looks like: every field that its schema names, also those that nobody here reads.

type envelope struct {
	Data       any        `json:"data"`
	Object     string     `json:"object"`
	Type       string     `json:"type"`
	Timestamp  int64      `json:"timestamp"`
	InstanceID string     `json:"instance_id,omitempty"`
	Attributes attributes `json:"event_attributes"`
}

type attributes struct {
	Request request `json:"http_request"`
}

type request struct {
	ClientIP  string `json:"client_ip"`
	UserAgent string `json:"user_agent"`
}

type privateJSON struct {
	Note string `json:"note"`
}

type organizationJSON struct {
	Object                               string      `json:"object"`
	ID                                   string      `json:"id"`
	Name                                 string      `json:"name"`
	Slug                                 *string     `json:"slug"`
	ImageURL                             string      `json:"image_url"`
	HasImage                             bool        `json:"has_image"`
	MembersCount                         int         `json:"members_count"`
	MissingMemberWithElevatedPermissions bool        `json:"missing_member_with_elevated_permissions"`
	PendingInvitationsCount              int         `json:"pending_invitations_count"`
	MaxAllowedMemberships                int         `json:"max_allowed_memberships"`
	AdminDeleteEnabled                   bool        `json:"admin_delete_enabled"`
	PublicMetadata                       any         `json:"public_metadata"`
	PrivateMetadata                      privateJSON `json:"private_metadata"`
	CreatedBy                            string      `json:"created_by"`
	CreatedAt                            int64       `json:"created_at"`
	UpdatedAt                            int64       `json:"updated_at"`
}

type userJSON struct {
	UserID          string  `json:"user_id"`
	FirstName       *string `json:"first_name"`
	LastName        *string `json:"last_name"`
	ProfileImageURL string  `json:"profile_image_url"`
	ImageURL        string  `json:"image_url"`
	HasImage        bool    `json:"has_image"`
	Identifier      *string `json:"identifier"`
	Username        *string `json:"username"`
	Banned          bool    `json:"banned"`
	Deprovisioned   bool    `json:"deprovisioned"`
}

type membershipJSON struct {
	Object          string           `json:"object"`
	ID              string           `json:"id"`
	Role            string           `json:"role"`
	RoleName        string           `json:"role_name"`
	Permissions     []string         `json:"permissions"`
	PublicMetadata  any              `json:"public_metadata"`
	PrivateMetadata privateJSON      `json:"private_metadata"`
	Organization    organizationJSON `json:"organization"`
	User            userJSON         `json:"public_user_data"`
	CreatedAt       int64            `json:"created_at"`
	UpdatedAt       int64            `json:"updated_at"`
}

type deletedJSON struct {
	Object  string `json:"object"`
	ID      string `json:"id"`
	Slug    string `json:"slug,omitempty"`
	Deleted bool   `json:"deleted"`
}

func organizationPayload(o Organization) organizationJSON {
	return organizationJSON{
		Object:                "organization",
		ID:                    o.ID,
		Name:                  o.Name,
		Slug:                  orNull(o.Slug),
		ImageURL:              o.ImageURL,
		HasImage:              o.ImageURL != "",
		MembersCount:          o.Members,
		MaxAllowedMemberships: o.MaxAllowedMemberships,
		AdminDeleteEnabled:    true,
		PublicMetadata:        orEmpty(o.PublicMetadata),
		PrivateMetadata:       privateJSON{Note: Private},
		CreatedBy:             ID("user", "founder of "+o.ID),
		CreatedAt:             milliseconds(o.CreatedAt, o.UpdatedAt),
		UpdatedAt:             milliseconds(o.UpdatedAt),
	}
}

func membershipPayload(m Membership) membershipJSON {
	return membershipJSON{
		Object:          "organization_membership",
		ID:              m.ID,
		Role:            m.Role,
		RoleName:        strings.TrimPrefix(m.Role, "org:"),
		Permissions:     append([]string{}, m.Permissions...), // [] rather than null
		PublicMetadata:  orEmpty(m.PublicMetadata),
		PrivateMetadata: privateJSON{Note: Private},
		Organization:    organizationPayload(m.Organization),
		User: userJSON{
			UserID:        m.User.ID,
			FirstName:     orNull(m.User.FirstName),
			LastName:      orNull(m.User.LastName),
			Identifier:    orNull(m.User.Identifier),
			Username:      orNull(m.User.Username),
			Banned:        m.User.Banned,
			Deprovisioned: m.User.Deprovisioned,
		},
		CreatedAt: milliseconds(m.CreatedAt, m.UpdatedAt),
		UpdatedAt: milliseconds(m.UpdatedAt),
	}
}

// milliseconds is the first of the times that there is, as Clerk writes times.
func milliseconds(times ...time.Time) int64 {
	for _, t := range times {
		if !t.IsZero() {
			return t.UnixMilli()
		}
	}
	return 0
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(metadata any) any {
	if metadata == nil {
		return struct{}{}
	}
	return metadata
}
