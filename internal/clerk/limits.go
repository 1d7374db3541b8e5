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

package clerk

import "time"

const (
	// maxIDLength bounds ids, in bytes: an id becomes the value of a label, and those hold 63. Clerk's longest are 34.
	maxIDLength = 63

	// maxKeyLength bounds the key of a role or permission, in bytes. Clerk allows far less; 256 keeps 1,000 of them small.
	maxKeyLength = 256

	// maxPermissions bounds the permissions of one role. With keys of maxKeyLength they are 256 KB, a fifth of what etcd takes
	// for one object; real roles have tens.
	maxPermissions = 1000

	// maxSubscriptionItems bounds the items of one subscription. One has a handful at a time; Clerk may list those that are over, too.
	maxSubscriptionItems = 200

	// maxStatusLength bounds Clerk's word for how a subscription item stands, in bytes. The longest known has 10.
	maxStatusLength = 32

	// maxSlugLength bounds the slug of a plan or a feature, in bytes: people write them into conditions.
	maxSlugLength = 128

	// maxFeatures bounds the features of one plan: far more than a page of prices can show. They are kept in the status of the ClerkInstance.
	maxFeatures = 64

	// maxDomainLength and maxLabelLength bound the name of a domain and each of its labels, in bytes: DNS has no longer ones.
	maxDomainLength, maxLabelLength = 253, 63

	// maxStrategyLength bounds Clerk's word for how a domain is verified, in bytes. The longest known has 22.
	maxStrategyLength = 64

	// maxTextLength bounds display text, in bytes: 256 characters, as Clerk allows, of up to 4 bytes. Longer text is cut.
	maxTextLength = 1024

	// maxURLLength bounds the URL of an image, in bytes. Browsers and CDNs agree on about 2,000. A longer one is left out: half a
	// URL leads elsewhere.
	maxURLLength = 2048

	// maxIdentifierLength bounds a user's identifier and user name, in bytes. The longest e-mail address has 254. Longer ones are
	// left out, not cut: RBAC may name a user by them.
	maxIdentifierLength = 320

	// maxMetadataLength bounds public metadata, in bytes of compact JSON. Clerk allows 8 KB; 64 KiB leaves it room to grow and an
	// object, with its copy in a membership's organization, far below etcd's 1.5 MB.
	maxMetadataLength = 64 << 10

	// maxMetadataDepth bounds how deep public metadata is nested. The API server keeps a managed field for every level of every
	// path: a thousand levels take it half a second, ten thousand longer than a request may.
	maxMetadataDepth = 32

	// maxDepth bounds how deep a body is nested: metadata and what it stands in, and a reserve. What is deeper is emptied.
	maxDepth = 2 * maxMetadataDepth

	// maxTypeLength bounds the name of an event type, in bytes. The longest known has 32.
	maxTypeLength = 128

	// minYear and maxYear bound every time. Outside of them a number is no time in milliseconds (or seconds), and a far future
	// updated_at would shut out every later change.
	minYear, maxYear = 2000, 2200

	// secondsBelow tells the envelope's seconds from its milliseconds: as seconds it is the year 5138, as milliseconds 1973.
	secondsBelow = 100_000_000_000
)

// minTime and maxTime are the first and the first impossible moment, in milliseconds.
var (
	minTime = time.Date(minYear, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	maxTime = time.Date(maxYear+1, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)
