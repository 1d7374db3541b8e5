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

package sink

import "time"

const (
	// DefaultTimeout is how long a target may take where the spec does not say.
	DefaultTimeout = 8 * time.Second

	// MaxTimeout is how long a target may take at most: with the waits before it, Clerk's sender has its answer within its 15 s.
	MaxTimeout = 10 * time.Second

	// DefaultInFlight is how many events a replica hands on at a time, where the spec does not say. At 10 ms each it is 1,600 a second.
	DefaultInFlight = 16

	// MaxInFlight bounds that: a target that hangs holds as many deliveries.
	MaxInFlight = 64

	// roomsPerPlace is how many deliveries of one sink are read or wait, for each that can be handed on. A sink that is slow, or whose path
	// somebody floods, has these and no more.
	roomsPerPlace = 4

	// breakerThreshold is how many failures in a row open the breaker. One is chance, two may be a restart.
	breakerThreshold = 5

	// breakerFirst and breakerLast are how long it stays open: at first, and at most after doubling. Clerk's sender tries again after 5 s,
	// 5 min, 30 min and so on: an open breaker so costs few attempts.
	breakerFirst, breakerLast = 5 * time.Second, time.Minute

	// sweepInterval is how often those ClerkSinks are forgotten that are gone.
	sweepInterval = time.Minute

	// checkTimeout is how long a stream may take to be looked at.
	checkTimeout = 5 * time.Second

	// maxDepth bounds how deep an event's data is nested. Real ones have five or six levels.
	maxDepth = 64

	// maxTypeLength bounds the name of an event type, in bytes. The longest known has 32.
	maxTypeLength = 128

	// minYear and maxYear bound times: outside of them a number is no time in milliseconds (or seconds).
	minYear, maxYear = 2000, 2200

	// secondsBelow tells seconds from milliseconds: as seconds it is the year 5138, as milliseconds 1973.
	secondsBelow = 100_000_000_000
)
