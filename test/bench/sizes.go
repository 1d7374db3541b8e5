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

package main

import "time"

// sizes say how much is measured. More makes the figures steadier, and the run longer.
type sizes struct {
	// deliveries by how many are sent at a time.
	deliveries []deliverySize

	// members are joined and removed one after the other at rest, in this many organizations.
	members, organizations int

	// burst is how many organizations are being provisioned while grants and revocations are timed.
	burst int

	// provisioning are the numbers of organizations; the first is also what the restart and the memory are measured with.
	provisioning []provisioningSize

	// resync is what is listed from Clerk's API.
	resync resyncSize

	// hanging is what is delivered to the mirror beside sinks that hang.
	hanging deliverySize

	// sinks are what is handed on to a NATS server.
	sinks []sinkSize

	// backfill is what is mirrored when a database is first looked at.
	backfill resyncSize

	// ends are the grants that end by themselves.
	ends endsSize

	// decoding is how long each kind of event is decoded.
	decoding time.Duration
}

// deliverySize says how many deliveries of each kind are sent in a round, with so many at a time.
type deliverySize struct {
	atATime, perKind, rounds int
}

// sinkSize says how many events are handed on in a round, with so many at a time, and how often the server writes through to its disk.
type sinkSize struct {
	synced                    bool
	atATime, perRound, rounds int
}

// provisioningSize says how many organizations are provisioned in a round.
type provisioningSize struct {
	organizations, rounds int
}

// resyncSize says how much there is in Clerk.
type resyncSize struct {
	organizations, memberships int
}

func sizesFor(quick bool) sizes {
	if quick {
		return sizes{
			deliveries:    []deliverySize{{1, 20, 2}, {8, 60, 2}, {32, 150, 2}},
			members:       20,
			organizations: 4,
			burst:         60,
			provisioning:  []provisioningSize{{100, 1}, {20, 1}},
			resync:        resyncSize{30, 300},
			hanging:       deliverySize{32, 50, 1},
			sinks:         []sinkSize{{true, 32, 100, 2}, {false, 32, 200, 2}},
			backfill:      resyncSize{50, 500},
			ends:          endsSize{10, 20, 4},
			decoding:      100 * time.Millisecond,
		}
	}
	return sizes{
		deliveries:    []deliverySize{{1, 60, 5}, {8, 200, 5}, {32, 400, 5}},
		members:       200,
		organizations: 20,
		burst:         500,
		// The largest first: restart and memory are then those of exactly so many organizations.
		provisioning: []provisioningSize{{1000, 1}, {500, 2}, {100, 4}},
		resync:       resyncSize{10_000, 100_000},
		hanging:      deliverySize{32, 400, 5},
		sinks:        []sinkSize{{true, 1, 200, 3}, {true, 32, 2000, 5}, {false, 1, 500, 3}, {false, 32, 4000, 5}},
		backfill:     resyncSize{10_000, 100_000},
		ends:         endsSize{100, 100, 20},
		decoding:     time.Second,
	}
}
