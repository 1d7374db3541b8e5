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

package backend

import (
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// DefaultURL is where Clerk serves its Backend API.
	DefaultURL = "https://api.clerk.com/v1"

	// defaultHost is the host of DefaultURL.
	defaultHost = "api.clerk.com"

	// apiVersion is the version of the Backend API that the types here are read from.
	apiVersion = "2026-05-12"

	// maxPageSize is how many rows Clerk puts on a page at most.
	maxPageSize = 500

	// maxFilterIDs is how many ids Clerk takes in a filter at most.
	maxFilterIDs = 100

	// maxPageBytes bounds an answer. A row of the largest metadata that Clerk allows (8 KB, four times in a membership) makes a full
	// page of 16 MB.
	maxPageBytes = 32 << 20

	// maxErrorBytes bounds what is read of an answer that is an error: enough for Clerk's code.
	maxErrorBytes = 64 << 10

	// maxCodeLength bounds Clerk's word for an error: its own have 50 bytes at most.
	maxCodeLength = 128

	// productionRate is how many requests are made a second of a production environment: 40 % of the 1,000 in 10 seconds that Clerk lets
	// through, since the application itself needs them more.
	productionRate = rate.Limit(40)

	// otherRate is that for a development environment, of whose 100 in 10 seconds it is 40 % too, and for one not known yet.
	otherRate = rate.Limit(4)

	// burst is how many requests may go at once after a pause. A small environment is listed in fewer.
	burst = 10

	// attemptTimeout bounds one attempt. Deep pages of a long list take Clerk seconds.
	attemptTimeout = 30 * time.Second

	// maxAttempts is how often a request is tried that fails in a way that may pass.
	maxAttempts = 6

	// maxRetryAfter bounds the pause that Clerk may ask for and gets within a resync. A longer one ends the resync.
	maxRetryAfter = 2 * time.Minute

	// maxStepsBack is how often one page is asked for again because rows before it went away. Each step goes back further.
	maxStepsBack = 6

	// maxBackInAll is how often that may happen in one listing, or the listing would not end while rows go away all the time.
	maxBackInAll = 100

	// maxCatchUps is how often the end of the list of users is read again because of somebody who signed up before they were counted.
	maxCatchUps = 10

	// maxPlans bounds the plans of one environment that are kept. With as many features as a plan may have, and slugs of the greatest length,
	// they take 530 kB of the status of the ClerkInstance, a third of what etcd takes.
	maxPlans = 64

	// maxPlansListed bounds the rows of the list of plans.
	maxPlansListed = 1_000

	// maxListed bounds the rows of one list, and with them the ids that are held in memory: some 100 MB.
	maxListed = 1_000_000
)

// betweenAttempts are the pauses between the attempts of one request. Six attempts so span over half a minute; what lasts longer is for the
// next resync.
var betweenAttempts = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: maxAttempts, Cap: 20 * time.Second}
