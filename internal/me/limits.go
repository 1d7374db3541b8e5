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

package me

import "time"

// Whoever reaches the port can ask, with anything for a token. What they can cost is bounded here.
const (
	// maxToken bounds a token, in bytes: those of identity providers have 1 to 4 KB.
	maxToken = 16 << 10

	// maxHeaderBytes bounds a request's headers: the token, and what proxies add.
	maxHeaderBytes = 32 << 10

	// readTimeout is how long a request may take to arrive: a packet or two.
	readTimeout = 5 * time.Second

	// reviewTimeout is how long the API server may take to say whose a token is.
	reviewTimeout = 5 * time.Second

	// writeTimeout is how long everything after the headers may take.
	writeTimeout = reviewTimeout + 10*time.Second

	// certificateRetry is how often a TLS certificate that cannot be read is tried again.
	certificateRetry = 10 * time.Second

	// drainTimeout is how long requests in flight may take when the replica stops.
	drainTimeout = 10 * time.Second

	// maxConnections is how many connections there may be; each holds its headers and the state of TLS, some 100 KB at worst.
	maxConnections = 256

	// maxReviews is how many tokens the API server is asked about at a time, and reviewsPerSecond how many in the long run. It verifies a
	// signature for each, or asks a webhook.
	maxReviews       = 8
	reviewsPerSecond = 20

	// reviewsPerAddress is how many of them one address may cause in a second, and maxAddresses how many addresses are remembered.
	reviewsPerAddress = 2
	maxAddresses      = 4096

	// burst is how many reviews may come at once after a pause, of all and of one address.
	burst           = 40
	burstPerAddress = 10

	// knownFor and unknownFor are how long an answer about a token counts. A token that was revoked so tells its owner for that long.
	knownFor   = 30 * time.Second
	unknownFor = 10 * time.Second

	// maxAnswers is how many answers are remembered, each 100 bytes: those about tokens that nobody knows apart from the others, which
	// they would push out.
	maxAnswers = 1024

	// maxOrganizations is how many memberships are told.
	maxOrganizations = 1000

	// maxClusterRoles is how many ClusterRoles in the whole cluster are told. Each costs a look at the caller's memberships.
	maxClusterRoles = 100

	// retryAfterSeconds is what is asked for where there is no room.
	retryAfterSeconds = "5"

	// logInterval is how often it is logged that the API server does not answer.
	logInterval = 10 * time.Second
)
