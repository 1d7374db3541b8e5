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

package receiver

import "time"

const (
	// MaxBodyBytes bounds a delivery's body. The sender's default limit is 2 MB; real events have 1 to 10 KB.
	MaxBodyBytes = 2 << 20

	// SmallBodyBytes is what a body may have and still count as small: several times the largest event, whose two public metadata
	// Clerk bounds at 8 KB each.
	SmallBodyBytes = 64 << 10

	// MaxSmallBodies is how many small bodies are held at a time: 64 MiB of them. Who is slow with a body has its room for ReadTimeout,
	// with no signature asked yet.
	MaxSmallBodies = 1024

	// MaxLargeBodies is how many larger ones are held at a time: again 64 MiB.
	MaxLargeBodies = 32

	// MaxSmallSinkBodies is how many bodies for all ClerkSinks are held at a time, apart from those of the mirror: 32 MiB. Each sink has its
	// own share of them: see internal/sink.
	MaxSmallSinkBodies = 512

	// MaxLargeSinkBodies is how many larger ones are: 16 MiB.
	MaxLargeSinkBodies = 8

	// MaxHeaderBytes bounds a request's headers. A delivery's have about 1 KB, with several signatures 2 KB; proxies add theirs.
	MaxHeaderBytes = 16 << 10

	// ReadHeaderTimeout is how long the headers may take: one packet, and patience for a slow handshake.
	ReadHeaderTimeout = 5 * time.Second

	// ReadTimeout is how long headers and body together may take. 2 MiB in 10 s is 1.7 Mbit/s; the sender gives up after 15 s.
	ReadTimeout = 10 * time.Second

	// WriteTimeout is how long everything after the headers may take: room, the body, a place, the write, and the answer itself.
	WriteTimeout = 2*PlaceTimeout + ReadTimeout + ApplyTimeout + 5*time.Second

	// IdleTimeout is how long a connection may wait for its next delivery. Longer than the 60 s of common load balancers, so that
	// they, not the receiver, close it: a delivery is then never sent into a closing connection.
	IdleTimeout = 75 * time.Second

	// MaxDeliveries is how many verified deliveries are decoded and applied at a time. It bounds the memory that decoding takes and what
	// the API server sees; at 10 ms a write it is 6,400 deliveries a second.
	MaxDeliveries = 64

	// PlaceTimeout is how long a delivery waits for room, and then for one of the MaxDeliveries places. Long enough for a burst to drain,
	// short enough to be answered well within the sender's 15 s.
	PlaceTimeout = 2 * time.Second

	// ApplyTimeout is how long the API server may take. Below the sender's 15 s, so that it hears 503 instead of nothing.
	ApplyTimeout = 10 * time.Second

	// DrainTimeout is how long deliveries in flight may take to be answered after the receiver was told to stop: a place, the body
	// and the apply, short of the very slowest. Below the 30 s that Kubernetes and controller-runtime grant by default.
	DrainTimeout = 20 * time.Second

	// RetryAfterSeconds is what a 503 asks for. The sender's own first retries come at once and after 5 s.
	RetryAfterSeconds = 5

	// RefusalLogInterval is how often the refusal of an unverified delivery is logged by default. Anyone can send those; the
	// metrics count them all.
	RefusalLogInterval = 10 * time.Second
)

// limits are those that tests need to make smaller.
type limits struct {
	readTimeout, placeTimeout, applyTimeout, drainTimeout time.Duration
	smallBodies, largeBodies, deliveries                  int
	smallSinkBodies, largeSinkBodies                      int
}

func defaultLimits() limits {
	return limits{
		readTimeout:  ReadTimeout,
		placeTimeout: PlaceTimeout,
		applyTimeout: ApplyTimeout,
		drainTimeout: DrainTimeout,
		smallBodies:  MaxSmallBodies,
		largeBodies:  MaxLargeBodies,
		deliveries:   MaxDeliveries,

		smallSinkBodies: MaxSmallSinkBodies,
		largeSinkBodies: MaxLargeSinkBodies,
	}
}
