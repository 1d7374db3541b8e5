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

// Package clerkapi plays Clerk's Backend API for tests, the demo and the benchmark: the lists and the single objects that the operator
// reads, of what a test says there is, by pages that shift while it changes; and all the ways in which such an API fails.
//
//	api := clerkapi.New(clerkapi.Options{InstanceID: "ins_1", Key: "sk_test_1"})
//	server := httptest.NewServer(api)
//	api.SetOrganization(clerktest.Organization{ID: clerktest.ID("org", "acme"), Name: "Acme", UpdatedAt: time.Now()})
//
// Its answers are those of the schema in testdata, an excerpt of Clerk's own; a test holds it to that.
package clerkapi
