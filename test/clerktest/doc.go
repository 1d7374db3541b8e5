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

// Package clerktest plays Clerk for tests, the demo and the benchmark: it builds the events that Clerk sends, in full, signs them with
// Svix' own library, as Clerk's sender does, and delivers them over HTTP.
//
//	acme := clerktest.Organization{ID: clerktest.ID("org", "acme"), Name: "Acme", Slug: "acme", UpdatedAt: time.Now()}
//	sender := clerktest.Sender{URL: url, Secret: secret}
//	status, message, err := sender.Deliver(ctx, clerktest.RandomID("msg"), clerktest.OrganizationCreated(acme))
package clerktest
