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

import (
	"encoding/json"
	"slices"
	"time"
)

// User is a user as it stands after it was created or updated.
type User struct {
	ID string
	// PrimaryEmail is the address that the user has chosen as the primary one; its Address is empty where there is none of use.
	PrimaryEmail EmailAddress
	// Username and ExternalID are empty where there is none of use.
	Username, ExternalID string
	// FirstName and LastName are display text: cleaned and bounded.
	FirstName, LastName string
	// ImageURL is where the user's picture is: bounded, and possibly empty.
	ImageURL string
	// Banned and Deprovisioned keep the user out; they are true, too, where they cannot be read. Locked says that there were too many attempts
	// to sign in.
	Banned, Locked, Deprovisioned bool
	// TwoFactorEnabled and EnterpriseAccount are nil where the payload does not say, or cannot be read.
	TwoFactorEnabled, EnterpriseAccount *bool
	// Directory says that a directory provisions the user. Only events tell: false may also mean that it is not known.
	Directory bool
	// PublicMetadata is compact JSON with sorted keys. Nil when it is absent, null or {}.
	PublicMetadata json.RawMessage
	// CreatedAt is zero where the payload does not say.
	CreatedAt time.Time
	// UpdatedAt orders the states of one user. Never zero.
	UpdatedAt time.Time
	// Dropped are the fields that could not be kept, in order.
	Dropped []string
}

// EntityID is the user's id.
func (u *User) EntityID() string { return u.ID }

// EmailAddress is an e-mail address of a user.
type EmailAddress struct {
	// Address is as Clerk has it, in its own case.
	Address string
	// Verified says that the user has shown that it is theirs.
	Verified bool
}

// UserDeleted says that a user is gone. Clerk sends no time of its own with it.
type UserDeleted struct {
	ID string
}

// EntityID is the user's id.
func (u *UserDeleted) EntityID() string { return u.ID }

func (*User) isData()        {}
func (*UserDeleted) isData() {}

// verified is the status of a verification that succeeded.
const verified = "verified"

type userJSON struct {
	ID             string                       `json:"id"`
	ExternalID     lax[string]                  `json:"external_id"`
	PrimaryEmailID lax[string]                  `json:"primary_email_address_id"`
	Emails         lax[[]lax[emailAddressJSON]] `json:"email_addresses"`
	Username       lax[string]                  `json:"username"`
	FirstName      lax[string]                  `json:"first_name"`
	LastName       lax[string]                  `json:"last_name"`
	ImageURL       lax[string]                  `json:"image_url"`
	Banned         lax[bool]                    `json:"banned"`
	Locked         lax[bool]                    `json:"locked"`
	Deprovisioned  lax[bool]                    `json:"deprovisioned"`
	TwoFactor      lax[*bool]                   `json:"two_factor_enabled"`
	accountsJSON
	PublicMetadata json.RawMessage `json:"public_metadata"`
	CreatedAt      lax[int64]      `json:"created_at"`
	UpdatedAt      int64           `json:"updated_at"`
}

type emailAddressJSON struct {
	ID           string      `json:"id"`
	Address      lax[string] `json:"email_address"`
	Verification lax[struct {
		Status string `json:"status"`
	}] `json:"verification"`
}

// DecodeUser reads a user: the data of an event, or a row of a list.
func DecodeUser(data json.RawMessage) (Data, error) {
	var raw userJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return nil, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return nil, err
	}
	updatedAt, err := updateTime("data", raw.UpdatedAt)
	if err != nil {
		return nil, err
	}
	var dropped losses
	user := &User{
		ID:             raw.ID,
		PrimaryEmail:   raw.primaryEmail(&dropped),
		Username:       dropped.identifier(FieldUsername, raw.Username),
		ExternalID:     dropped.identifier(FieldExternalID, raw.ExternalID),
		FirstName:      dropped.text(FieldFirstName, raw.FirstName),
		LastName:       dropped.text(FieldLastName, raw.LastName),
		ImageURL:       dropped.url(FieldImageURL, raw.ImageURL),
		Banned:         dropped.bar(FieldBanned, raw.Banned),
		Locked:         raw.Locked.value,
		Deprovisioned:  dropped.bar(FieldDeprovisioned, raw.Deprovisioned),
		PublicMetadata: dropped.metadata(FieldPublicMetadata, raw.PublicMetadata),
		CreatedAt:      dropped.created(raw.CreatedAt),
		UpdatedAt:      updatedAt,

		TwoFactorEnabled:  raw.TwoFactor.value,
		EnterpriseAccount: raw.hasEnterpriseAccount(&dropped),
		Directory:         raw.isProvisioned(&dropped),
	}
	if raw.TwoFactor.isOdd {
		dropped.note(FieldTwoFactorEnabled)
	}
	if raw.Locked.isOdd {
		dropped.note(FieldLocked)
	}
	user.Dropped = dropped.sorted()
	return user, nil
}

// primaryEmail is the entry that the user has chosen. Where the choice is missing, or names none or several, there is no primary address:
// the first of a list is just some address.
func (u *userJSON) primaryEmail(dropped *losses) EmailAddress {
	if u.PrimaryEmailID.isOdd || u.Emails.isOdd {
		dropped.note(FieldPrimaryEmail)
		return EmailAddress{}
	}
	if u.PrimaryEmailID.value == "" {
		return EmailAddress{}
	}
	chosen := slices.DeleteFunc(slices.Clone(u.Emails.value), func(email lax[emailAddressJSON]) bool {
		return email.value.ID != u.PrimaryEmailID.value
	})
	if len(chosen) != 1 {
		if slices.ContainsFunc(u.Emails.value, func(email lax[emailAddressJSON]) bool { return email.isOdd }) {
			dropped.note(FieldPrimaryEmail) // it may be the one
		}
		return EmailAddress{}
	}
	email := &chosen[0].value
	address := dropped.identifier(FieldPrimaryEmail, email.Address)
	if address == "" {
		return EmailAddress{}
	}
	return EmailAddress{Address: address, Verified: email.Verification.value.Status == verified}
}

func decodeUserDeleted(data json.RawMessage) (Data, error) {
	id, err := decodeDeletedID(data)
	if err != nil {
		return nil, err
	}
	return &UserDeleted{ID: id}, nil
}
