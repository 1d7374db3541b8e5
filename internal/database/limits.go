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

package database

import "time"

const (
	// maxPending is how many changes a database remembers that it has not written. More, as while it is down, cost no memory: all is then
	// compared again.
	maxPending = 10_000

	// batchRows and batchBytes bound what is written at a time: a batch of 500 takes some milliseconds, so news never wait for long.
	batchRows, batchBytes = 500, 1 << 20

	// pageRows is how many rows are compared at a time. Of each, ids and a hash are read.
	pageRows = 2000

	// maxRefused is how many refused rows are remembered by id; the next comparison finds the others.
	maxRefused = 1000

	// compareInterval is how often every row is compared with what is mirrored: it finds rows whose object is gone, and what somebody else has
	// changed. 100,000 rows take about a second.
	compareInterval = time.Hour

	// beatInterval is how often a writer shows that it is at work; five minutes without it, and another may take the schema.
	beatInterval = 30 * time.Second

	// retryFirst and retryLast are the pauses between attempts: the first, and what doubling ends at.
	retryFirst, retryLast = time.Second, time.Minute

	// yieldPause is the pause after another writer has taken the schema. A leader that was overtaken ends within that time.
	yieldPause = 20 * time.Second

	// refusedPause is the pause where somebody has to act first.
	refusedPause = 30 * time.Second

	// stableAfter is how long a connection has to last for the next pause to be the first again.
	stableAfter = time.Minute

	// reportInterval is how often metrics are brought up to date.
	reportInterval = 5 * time.Second

	// liveTimeout bounds a question to the API server.
	liveTimeout = 10 * time.Second
)
