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

package redact

import (
	"maps"
	"slices"
	"strings"
)

// closedEntities are those of which nothing can be let through beyond the list: their bodies hold one-time codes.
var closedEntities = []string{"email", "sms"}

// tickets are the paths that let whoever reads them in, for each entity that has one. Nothing opens them.
var tickets = map[string]string{"invitation": "url", "organizationInvitation": "url", "waitlistEntry": "invitation.url"}

// safe are the paths within data that are let through, for each entity. What a list holds is gone through element by element. Never here:
// private or unsafe metadata, the url of an invitation, anything that signs somebody in, a network address.
var safe = map[string][]string{
	"directoryGroup":         {"id", "object", "organization_id", "name", "created_at", "updated_at", "deleted"},
	"email":                  {"id", "object", "user_id", "email_address_id", "slug", "status", "delivered_by_clerk"},
	"invitation":             invitation,
	"organization":           organization,
	"organizationDomain":     domain,
	"organizationInvitation": append([]string{"organization_id", "role", "role_name", "user_id"}, invitation...),
	"organizationMembership": slices.Concat(
		[]string{"id", "object", "role", "role_name", "permissions", "public_metadata.**", "created_at", "updated_at", "deleted"},
		within("organization", organization),
		within("public_user_data", []string{
			"user_id", "identifier", "username", "first_name", "last_name", "image_url", "profile_image_url", "has_image", "banned", "deprovisioned",
		}),
	),
	"paymentAttempt":   paymentAttempt,
	"permission":       permission,
	"role":             slices.Concat(role, within("permissions", permission)),
	"session":          slices.Concat(session, within("user", user)),
	"sms":              {"id", "object", "user_id", "phone_number_id", "slug", "status", "delivered_by_clerk", "created_at"},
	"subscription":     slices.Concat(subscription, within("payer", payer), within("items", subscriptionItem)),
	"subscriptionItem": slices.Concat(subscriptionItem, within("payer", payer)),
	"user":             user,
	"waitlistEntry": slices.Concat(
		[]string{"id", "object", "email_address", "status", "is_locked", "created_at", "updated_at"},
		within("invitation", []string{"id", "object", "email_address", "status", "revoked", "expires_at", "created_at", "updated_at"}),
	),
}

var (
	organization = []string{
		"id", "object", "name", "slug", "image_url", "has_image", "members_count", "pending_invitations_count", "max_allowed_memberships",
		"admin_delete_enabled", "missing_member_with_elevated_permissions", "public_metadata.**", "created_by", "role_set_key",
		"created_at", "updated_at", "deleted",
	}

	user = slices.Concat(
		[]string{
			"id", "object", "external_id", "username", "first_name", "last_name", "locale", "image_url", "profile_image_url", "has_image",
			"primary_email_address_id", "primary_phone_number_id", "primary_web3_wallet_id",
			"banned", "locked", "deprovisioned", "password_enabled", "two_factor_enabled", "public_metadata.**",
			"create_organization_enabled", "create_organizations_limit", "delete_self_enabled", "legal_accepted_at",
			"last_active_at", "last_sign_in_at", "created_at", "updated_at", "deleted",
		},
		within("email_addresses", []string{
			"id", "object", "email_address", "verification.status", "verification.strategy", "created_at", "updated_at",
		}),
		within("phone_numbers", []string{
			"id", "object", "phone_number", "verification.status", "verification.strategy", "created_at", "updated_at",
		}),
		within("web3_wallets", []string{
			"id", "object", "web3_wallet", "verification.status", "verification.strategy", "created_at", "updated_at",
		}),
		within("external_accounts", []string{"id", "object", "provider", "email_address", "username", "created_at", "updated_at"}),
		within("enterprise_accounts", []string{"id", "object", "provider", "protocol", "active", "email_address"}),
		within("saml_accounts", []string{"id", "object", "provider", "active", "email_address"}),
	)

	invitation = []string{
		"id", "object", "email_address", "public_metadata.**", "revoked", "status", "expires_at", "created_at", "updated_at",
	}

	domain = slices.Concat(
		[]string{
			"id", "object", "organization_id", "name", "enrollment_mode", "verification.status", "verification.strategy",
			"total_pending_invitations", "total_pending_suggestions", "created_at", "updated_at", "deleted",
		},
		within("public_organization_data", []string{"id", "name", "slug", "image_url", "has_image"}),
	)

	permission = []string{"id", "object", "key", "name", "description", "type", "created_at", "updated_at", "deleted", "slug"}

	role = []string{"id", "object", "key", "name", "description", "is_creator_eligible", "created_at", "updated_at", "deleted", "slug"}

	session = slices.Concat(
		[]string{
			"id", "object", "user_id", "status", "actor.sub", "last_active_organization_id",
			"last_active_at", "abandon_at", "expire_at", "created_at", "updated_at",
		},
		within("latest_activity", []string{"id", "object", "device_type", "is_mobile", "browser_name", "browser_version", "country"}),
	)

	money = []string{"amount", "amount_formatted", "currency", "currency_symbol"}

	payer = []string{
		"id", "object", "user_id", "organization_id", "organization_name", "email", "first_name", "last_name", "image_url",
		"created_at", "updated_at",
	}

	plan = []string{
		"id", "name", "slug", "description", "amount", "annual_monthly_amount", "currency", "interval", "period", "product_id",
		"has_base_fee", "is_default", "is_prorated", "is_recurring", "publicly_visible",
		"unit_prices.name", "unit_prices.block_size", "unit_prices.tiers.amount_per_block", "unit_prices.tiers.currency",
		"unit_prices.tiers.starts_at_block", "unit_prices.tiers.ends_after_block",
	}

	subscriptionItem = slices.Concat(
		[]string{
			"id", "object", "subscription_id", "status", "interval", "is_free_trial", "plan_id", "plan_period", "seats.quantity",
			"period_start", "period_end", "canceled_at", "past_due_at", "ended_at", "proration_date", "lifetime_paid",
			"next_payment_amount", "next_payment_date", "created_at", "updated_at",
		},
		within("plan", plan), within("amount", money), within("credit.amount", money),
	)

	subscription = []string{
		"id", "object", "status", "payer_id", "latest_payment_id", "payment_source_id",
		"active_at", "canceled_at", "past_due_at", "ended_at", "created_at", "updated_at",
	}

	paymentAttempt = slices.Concat(
		[]string{
			"id", "object", "status", "charge_type", "payment_id", "statement_id", "payee.id", "payment_source.id", "payment_source.status",
			"billing_date", "paid_at", "failed_at", "failed_reason", "created_at", "updated_at",
		},
		within("payer", payer), within("subscription_items", subscriptionItem),
		within("totals.grand_total", money), within("totals.subtotal", money), within("totals.tax_total", money),
	)
)

// within puts paths under a field.
func within(field string, paths []string) []string {
	inner := make([]string, len(paths))
	for i, path := range paths {
		inner[i] = field + "." + path
	}
	return inner
}

// Table is the list as people read it: for each entity its paths, sorted.
func Table() string {
	var text strings.Builder
	for _, entity := range slices.Sorted(maps.Keys(safe)) {
		paths := slices.Sorted(slices.Values(safe[entity]))
		text.WriteString("| `" + entity + ".*` | `" + strings.Join(paths, "` `") + "` |\n")
	}
	return text.String()
}
