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

// Package tenant decides what should be: from an organization, its TenantClass and its members it renders namespaces, policies
// and grants. It is pure: values in, values out, no clock and no I/O.
package tenant

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Organization is what expressions know as `organization`.
type Organization struct {
	ID                    string           `cel:"id"`
	Name                  string           `cel:"name"`
	Slug                  string           `cel:"slug"`
	Handle                string           `cel:"handle"`
	ImageURL              string           `cel:"imageURL"`
	PublicMetadata        *structpb.Struct `cel:"publicMetadata"`
	MaxAllowedMemberships int64            `cel:"maxAllowedMemberships"`
	RoleSetKey            string           `cel:"roleSetKey"`
	Members               int64            `cel:"members"`
	CreatedAt             time.Time        `cel:"createdAt"`

	// What follows says what the organization's subscription is, as Clerk's billing has it.
	Plan               string   `cel:"plan"`
	SubscriptionStatus string   `cel:"subscriptionStatus"`
	Seats              int64    `cel:"seats"`
	Features           []string `cel:"features"`

	// billing is what that comes to; nil where nothing is known of it.
	billing *Plan

	// Domains are those that the organization has proven to own.
	Domains []Domain `cel:"domains"`

	// dropped are the fields that could not be kept as Clerk sent them, untold those that Clerk has not told.
	dropped, untold []string
}

func (o Organization) droppedFields() []string { return o.dropped }

func (o Organization) untoldFields() []string { return o.untold }

func (o Organization) whyUntold(field string) string {
	switch {
	case field != fieldFeatures:
		return whyUntold
	case o.billing == nil:
		return (&Plan{}).whyNoFeatures()
	}
	return o.billing.whyNoFeatures()
}

// User is what expressions know as `user`.
type User struct {
	ID       string `cel:"id"`
	Username string `cel:"username"`

	// What follows is known of a mirrored user alone. PrimaryEmail is in lower case, and empty unless it is verified.
	PrimaryEmail   string           `cel:"primaryEmail"`
	FirstName      string           `cel:"firstName"`
	LastName       string           `cel:"lastName"`
	ExternalID     string           `cel:"externalID"`
	PublicMetadata *structpb.Struct `cel:"publicMetadata"`

	// TwoFactorEnabled, and whether a directory or an enterprise account is behind the user.
	TwoFactorEnabled bool `cel:"twoFactorEnabled"`
	ExternalManaged  bool `cel:"externalManaged"`

	// mirrored says whether there is a ClerkUser.
	mirrored bool

	// dropped are the fields that could not be kept as Clerk sent them, untold those that Clerk has not told.
	dropped, untold []string
}

func (u User) droppedFields() []string { return u.dropped }

func (u User) untoldFields() []string {
	if !u.mirrored {
		return onlyMirrored
	}
	return u.untold
}

func (u User) whyUntold(string) string {
	if !u.mirrored {
		return "which is not known, since the user is not mirrored: replay the user's events in Clerk, or ask for a resync"
	}
	return "which Clerk has not told yet: it comes with the user's next event, or with a resync"
}

// onlyMirrored are the fields of `user` that only a mirrored user has.
var onlyMirrored = []string{
	fieldPrimaryEmail, "firstName", "lastName", "externalID", "publicMetadata", fieldTwoFactorEnabled, fieldExternalManaged,
}

// Member is what expressions know as `member`.
type Member struct {
	ID             string           `cel:"id"`
	Role           string           `cel:"role"`
	Permissions    []string         `cel:"permissions"`
	PublicMetadata *structpb.Struct `cel:"publicMetadata"`
	CreatedAt      time.Time        `cel:"createdAt"`

	// dropped are the fields that could not be kept as Clerk sent them.
	dropped []string
}

func (m Member) droppedFields() []string { return m.dropped }

// MemberOf is what expressions see of a ClerkMember that holds a role.
func MemberOf(object *v1alpha1.ClerkMember, role Role) Member {
	member := Member{
		ID: object.Spec.ID, Role: role.Key, Permissions: role.Permissions, PublicMetadata: metadata(object.Spec.PublicMetadata),
		dropped: object.Spec.DroppedFields,
	}
	if object.Spec.CreatedAt != nil {
		member.CreatedAt = object.Spec.CreatedAt.Time
	}
	return member
}

// OrganizationOf is what expressions see of a ClerkOrganization of whose plan nothing is known. How many members it has is what its status
// says.
func OrganizationOf(object *v1alpha1.ClerkOrganization) Organization {
	spec := object.Spec
	organization := Organization{
		ID:             spec.ID,
		Name:           spec.Name,
		Slug:           spec.Slug,
		Handle:         Handle(object),
		ImageURL:       spec.ImageURL,
		RoleSetKey:     spec.RoleSetKey,
		PublicMetadata: metadata(spec.PublicMetadata),
		dropped:        slices.Clone(spec.DroppedFields),
		untold:         (&Plan{}).untold(),
	}
	if isDropped := slices.Contains[[]string, string]; isDropped(spec.DroppedFields, "slug") ||
		isDropped(spec.DroppedFields, "name") && dnsLabel(spec.Slug) == "" {
		organization.dropped = append(organization.dropped, "handle")
	}
	if spec.MaxAllowedMemberships != nil {
		organization.MaxAllowedMemberships = *spec.MaxAllowedMemberships
	}
	if object.Status.Members != nil {
		organization.Members = int64(*object.Status.Members)
	}
	if spec.CreatedAt != nil {
		organization.CreatedAt = spec.CreatedAt.Time
	}
	return organization
}

// Handle is how people call an organization, as a DNS label: by its slug, its name, or its id.
func Handle(object *v1alpha1.ClerkOrganization) string {
	return handle(object.Spec.Slug, object.Spec.Name, object.Spec.ID)
}

// metadata reads public metadata; whatever is no JSON object has no keys. It is a Struct because CEL knows that as a map of
// anything, which it does not of a Go map.
func metadata(raw *runtime.RawExtension) *structpb.Struct {
	var values map[string]any
	if raw == nil || json.Unmarshal(raw.Raw, &values) != nil {
		return &structpb.Struct{}
	}
	result, err := structpb.NewStruct(values)
	if err != nil {
		return &structpb.Struct{}
	}
	return result
}

// handle is the first of its candidates of which a DNS label can be made.
func handle(candidates ...string) string {
	for _, candidate := range candidates {
		if label := dnsLabel(candidate); label != "" {
			return label
		}
	}
	return ""
}

// maxLabel is the longest a DNS label may be (RFC 1123), in bytes.
const maxLabel = 63

// dnsLabel makes text a DNS label: accents dropped, lower case, everything but letters and digits a single '-', none at the ends.
func dnsLabel(text string) string {
	var label strings.Builder
	for _, r := range norm.NFKD.String(text) {
		switch {
		case r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			label.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r):
		case label.Len() > 0 && !strings.HasSuffix(label.String(), "-"):
			label.WriteByte('-')
		}
	}
	result := label.String()
	if len(result) > maxLabel {
		result = result[:maxLabel]
	}
	return strings.TrimRight(result, "-")
}

// UserOf is what expressions see of a member's user, by the ClerkUser, nil if there is none, and by what the membership tells.
func UserOf(member *v1alpha1.ClerkMember, user *v1alpha1.ClerkUser) User {
	told := User{ID: member.Spec.UserID, Username: member.Spec.User.Username, PublicMetadata: &structpb.Struct{}}
	isUnknown := slices.Contains(member.Spec.DroppedFields, "user.username")
	if user == nil || isImpersonal(&user.Spec) {
		if isUnknown || slices.Contains(member.Spec.DroppedFields, "user") {
			told.dropped = []string{fieldUsername}
		}
		return told
	}
	known := User{
		ID:             member.Spec.UserID,
		Username:       user.Spec.Username,
		FirstName:      user.Spec.FirstName,
		LastName:       user.Spec.LastName,
		ExternalID:     user.Spec.ExternalID,
		PublicMetadata: metadata(user.Spec.PublicMetadata),
		mirrored:       true,
		dropped:        slices.Clone(user.Spec.DroppedFields),
	}
	if isNewer := user.Spec.UpdatedAt.Before(member.Spec.UpdatedAt); isNewer && isUnknown {
		known.dropped = append(known.dropped, fieldUsername)
	} else if isNewer && told.Username != "" {
		known.Username = told.Username // user names get reused: the newer one counts
		known.dropped = slices.DeleteFunc(known.dropped, func(field string) bool { return field == fieldUsername })
	}
	if isTrue(user.Spec.PrimaryEmail.Verified) {
		known.PrimaryEmail = strings.ToLower(user.Spec.PrimaryEmail.Address)
	}
	known.addFactors(&user.Spec)
	return known
}

// isImpersonal tells whether a ClerkUser says no more than whether Clerk lets the user in, as where ClerkUsers are not wanted: what else it
// lacks is not known.
func isImpersonal(spec *v1alpha1.ClerkUserSpec) bool {
	return spec.CreatedAt == nil && spec.Username == "" && spec.PrimaryEmail.Address == "" && spec.FirstName == "" && spec.LastName == "" &&
		spec.ExternalID == "" && spec.PublicMetadata == nil && spec.TwoFactorEnabled == nil && spec.EnterpriseAccount == nil &&
		spec.Directory == nil && len(spec.DroppedFields) == 0
}

// addFactors adds what an expression may ask of how a user signs in. What is not known is not the same as false.
func (u *User) addFactors(spec *v1alpha1.ClerkUserSpec) {
	u.TwoFactorEnabled = isTrue(spec.TwoFactorEnabled)
	u.ExternalManaged = isTrue(spec.EnterpriseAccount) || isTrue(spec.Directory)
	isDropped := func(field string) bool { return slices.Contains(spec.DroppedFields, field) }
	if spec.TwoFactorEnabled == nil && !isDropped(fieldTwoFactorEnabled) {
		u.untold = append(u.untold, fieldTwoFactorEnabled)
	}
	switch {
	case u.ExternalManaged:
	case isDropped("enterpriseAccount"), isDropped("directory"):
		u.dropped = append(u.dropped, fieldExternalManaged)
	case spec.EnterpriseAccount == nil:
		u.untold = append(u.untold, fieldExternalManaged)
	}
}
