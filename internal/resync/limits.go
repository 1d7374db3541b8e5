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

package resync

import "time"

const (
	// workers resync that many ClerkInstances at a time, so that a slow one keeps few others waiting. Each may hold a page of 16 MB.
	workers = 4

	// writers pass that many things of a page to the mirror at a time. They wait for the API server most of the time.
	writers = 16

	// readLag is how old something must be for its absence from a list to mean anything: Clerk's lists may lag behind its events.
	readLag = 5 * time.Second

	// fetchPause is how long users who are missing are gathered before they are asked for together.
	fetchPause = time.Second

	// fetchAgain is how long nobody asks again for a user whom Clerk did not have, or could not tell of.
	fetchAgain = 10 * time.Minute

	// maxWanted is how many users wait to be fetched, at most: a hundred requests. Whoever is not among them waits for the next resync.
	maxWanted = 10_000

	// progressPause is how often the status says how far a resync is.
	progressPause = 10 * time.Second

	// firstRetry and lastRetry are the pauses before a resync that did not find everything is repeated: the first, doubled up to the last.
	firstRetry = 15 * time.Second
	lastRetry  = 10 * time.Minute

	// maxProbes is how many organizations are looked for to tell whether a key is of their environment: one may be gone, hardly all.
	maxProbes = 10

	// maxUnwritten is how many things the API server may fail to take before the resync ends: then it is not about them.
	maxUnwritten = 100

	// maxFailedLooks is how many second looks of a kind may fail in one resync. Each takes half a minute before it is given up.
	maxFailedLooks = 3

	// maxConfirmed is how many contradictions are looked at again before they are told: some seconds.
	maxConfirmed = 100

	// forgetTimeout is how long the cache may take to see that a tombstone is gone.
	forgetTimeout = 10 * time.Second

	// alwaysRemovable is how many of a kind one resync may remove whatever their share: a handful out of few is no sign of a mistake.
	alwaysRemovable = 5

	// defaultInterval, defaultMaxCount and defaultMaxPercent are those of the kind, for an object that was stored without.
	defaultInterval   = time.Hour
	defaultMaxCount   = 100
	defaultMaxPercent = 20

	// maxHeldIDs is how many ids of a held plan the status names, as the kind has it.
	maxHeldIDs = 100

	// maxToldIDs is how many ids a message names: conditions and Kubernetes Events are short.
	maxToldIDs = 10
)
