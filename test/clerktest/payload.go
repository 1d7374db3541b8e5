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
	RoleSetKey                           string      `json:"role_set_key,omitempty"`
	CreatedAt                            int64       `json:"created_at"`
	UpdatedAt                            int64       `json:"updated_at"`
}

type publicUserJSON struct {
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
	User            publicUserJSON   `json:"public_user_data"`
	CreatedAt       int64            `json:"created_at"`
	UpdatedAt       int64            `json:"updated_at"`
}

type deletedJSON struct {
	Object  string `json:"object"`
	ID      string `json:"id"`
	Slug    string `json:"slug,omitempty"`
	Deleted bool   `json:"deleted"`
	// ExternalID is a user's.
	ExternalID string `json:"external_id,omitempty"`
}

type userJSON struct {
	Object                  string             `json:"object"`
	ID                      string             `json:"id"`
	ExternalID              *string            `json:"external_id"`
	PrimaryEmailID          *string            `json:"primary_email_address_id"`
	PrimaryPhoneID          *string            `json:"primary_phone_number_id"`
	PrimaryWalletID         *string            `json:"primary_web3_wallet_id"`
	Username                *string            `json:"username"`
	FirstName               *string            `json:"first_name"`
	LastName                *string            `json:"last_name"`
	Locale                  *string            `json:"locale"`
	ImageURL                string             `json:"image_url"`
	HasImage                bool               `json:"has_image"`
	PublicMetadata          any                `json:"public_metadata"`
	PrivateMetadata         privateJSON        `json:"private_metadata"`
	UnsafeMetadata          privateJSON        `json:"unsafe_metadata"`
	Emails                  []emailAddressJSON `json:"email_addresses"`
	Phones                  []struct{}         `json:"phone_numbers"`
	Wallets                 []struct{}         `json:"web3_wallets"`
	Passkeys                []struct{}         `json:"passkeys"`
	PasswordEnabled         bool               `json:"password_enabled"`
	TwoFactorEnabled        bool               `json:"two_factor_enabled"`
	TOTPEnabled             bool               `json:"totp_enabled"`
	BackupCodeEnabled       bool               `json:"backup_code_enabled"`
	MFAEnabledAt            *int64             `json:"mfa_enabled_at"`
	MFADisabledAt           *int64             `json:"mfa_disabled_at"`
	PasswordUpdatedAt       *int64             `json:"password_last_updated_at"`
	ExternalAccounts        []struct{}         `json:"external_accounts"`
	SAMLAccounts            []struct{}         `json:"saml_accounts"`
	EnterpriseAccounts      []struct{}         `json:"enterprise_accounts"`
	LastSignInAt            *int64             `json:"last_sign_in_at"`
	Banned                  bool               `json:"banned"`
	Locked                  bool               `json:"locked"`
	Deprovisioned           bool               `json:"deprovisioned"`
	LockoutExpiresInSeconds *int64             `json:"lockout_expires_in_seconds"`
	AttemptsRemaining       *int64             `json:"verification_attempts_remaining"`
	DeleteSelfEnabled       bool               `json:"delete_self_enabled"`
	CreateOrganizations     bool               `json:"create_organization_enabled"`
	CreateLimit             *int64             `json:"create_organizations_limit"`
	LastActiveAt            *int64             `json:"last_active_at"`
	LegalAcceptedAt         *int64             `json:"legal_accepted_at"`
	CreatedAt               int64              `json:"created_at"`
	UpdatedAt               int64              `json:"updated_at"`
}

type emailAddressJSON struct {
	Object               string           `json:"object"`
	ID                   string           `json:"id"`
	EmailAddress         string           `json:"email_address"`
	Reserved             bool             `json:"reserved"`
	Verification         verificationJSON `json:"verification"`
	LinkedTo             []struct{}       `json:"linked_to"`
	MatchesSSOConnection bool             `json:"matches_sso_connection"`
	CreatedAt            int64            `json:"created_at"`
	UpdatedAt            int64            `json:"updated_at"`
}

type verificationJSON struct {
	Object   string `json:"object"`
	Status   string `json:"status"`
	Strategy string `json:"strategy"`
	Attempts *int   `json:"attempts"`
	ExpireAt *int64 `json:"expire_at"`
}

type roleJSON struct {
	Object            string           `json:"object"`
	ID                string           `json:"id"`
	Name              string           `json:"name"`
	Key               string           `json:"key"`
	Description       string           `json:"description"`
	IsCreatorEligible bool             `json:"is_creator_eligible"`
	Permissions       []permissionJSON `json:"permissions"`
	CreatedAt         int64            `json:"created_at"`
	UpdatedAt         int64            `json:"updated_at"`
}

type permissionJSON struct {
	Object      string `json:"object"`
	ID          string `json:"id"`
	Name        string `json:"name"`
	Key         string `json:"key"`
	Description string `json:"description"`
	Type        string `json:"type"`
	CreatedAt   int64  `json:"created_at"`
	UpdatedAt   int64  `json:"updated_at"`
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
		RoleSetKey:            o.RoleSetKey,
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
		User: publicUserJSON{
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

func userPayload(u User) userJSON {
	payload := userJSON{
		Object:              "user",
		ID:                  u.ID,
		ExternalID:          orNull(u.ExternalID),
		Username:            orNull(u.Username),
		FirstName:           orNull(u.FirstName),
		LastName:            orNull(u.LastName),
		ImageURL:            "https://images.example/u/" + u.ID + ".png",
		PublicMetadata:      orEmpty(u.PublicMetadata),
		PrivateMetadata:     privateJSON{Note: Private},
		UnsafeMetadata:      privateJSON{Note: Private},
		Emails:              []emailAddressJSON{},
		Phones:              []struct{}{},
		Wallets:             []struct{}{},
		Passkeys:            []struct{}{},
		ExternalAccounts:    []struct{}{},
		SAMLAccounts:        []struct{}{},
		EnterpriseAccounts:  []struct{}{},
		Banned:              u.Banned,
		Locked:              u.Locked,
		Deprovisioned:       u.Deprovisioned,
		TwoFactorEnabled:    u.TwoFactor,
		DeleteSelfEnabled:   true,
		CreateOrganizations: true,
		CreatedAt:           milliseconds(u.CreatedAt, u.UpdatedAt),
		UpdatedAt:           milliseconds(u.UpdatedAt),
	}
	if u.Email != "" {
		// The address that counts is not the first.
		other := emailPayload(u, ID("idn", "other of "+u.ID), Private+"@example.org", "verified")
		status := "verified"
		if u.Unverified {
			status = "unverified"
		}
		primary := emailPayload(u, ID("idn", "primary of "+u.ID), u.Email, status)
		payload.Emails = []emailAddressJSON{other, primary}
		payload.PrimaryEmailID = &primary.ID
	}
	return payload
}

func emailPayload(u User, id, address, status string) emailAddressJSON {
	return emailAddressJSON{
		Object:       "email_address",
		ID:           id,
		EmailAddress: address,
		Verification: verificationJSON{
			Object: "verification_otp", Status: status, Strategy: "email_code", Attempts: new(1), ExpireAt: new(milliseconds(u.UpdatedAt)),
		},
		LinkedTo:  []struct{}{},
		CreatedAt: milliseconds(u.CreatedAt, u.UpdatedAt),
		UpdatedAt: milliseconds(u.UpdatedAt),
	}
}

func rolePayload(r Role) roleJSON {
	payload := roleJSON{
		Object:      "role",
		ID:          r.ID,
		Name:        r.Name,
		Key:         r.Key,
		Description: r.Description,
		Permissions: []permissionJSON{},
		CreatedAt:   milliseconds(r.CreatedAt, r.UpdatedAt),
		UpdatedAt:   milliseconds(r.UpdatedAt),
	}
	for _, permission := range r.Permissions {
		payload.Permissions = append(payload.Permissions, permissionPayload(permission))
	}
	return payload
}

func permissionPayload(p Permission) permissionJSON {
	return permissionJSON{
		Object:      "permission",
		ID:          p.ID,
		Name:        p.Name,
		Key:         p.Key,
		Description: p.Description,
		Type:        "custom",
		CreatedAt:   milliseconds(p.CreatedAt, p.UpdatedAt),
		UpdatedAt:   milliseconds(p.UpdatedAt),
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
