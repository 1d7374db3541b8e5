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

package signing

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	// Tolerance is how far an attempt's timestamp may be from the clock, either way, as Svix has it. It bounds how long a recorded
	// delivery can be sent again by someone else. Retries and replays by Svix carry a fresh timestamp.
	Tolerance = 5 * time.Minute

	// maxIDLength bounds a delivery's id, in bytes. Svix' have 31; it is signed and logged.
	maxIDLength = 256

	// maxTimestampLength bounds the timestamp, in digits: 12 are good until the year 33658.
	maxTimestampLength = 12
)

// families are the prefixes of the three headers: Svix' own, and those of the Standard Webhooks specification. Where both are whole,
// the first counts, as it does for the Svix library.
var families = []string{"Svix-", "Webhook-"}

// Attempt is one attempt to deliver a message, as its headers tell.
type Attempt struct {
	// ID is the same for every attempt of one message.
	ID string
	// Time is when this attempt was made, not when the event happened.
	Time time.Time

	// header holds one family of headers and nothing else, so that the library verifies the very values that were checked.
	header http.Header
}

// ReadAttempt reads the headers of a delivery. Its errors never quote a value.
func ReadAttempt(header http.Header) (Attempt, error) {
	var found *Attempt
	for _, family := range families {
		attempt, err := readFamily(header, family)
		if err != nil {
			return Attempt{}, err
		}
		if found == nil {
			found = attempt
		}
	}
	if found == nil {
		return Attempt{}, errors.New("the headers svix-id, svix-timestamp and svix-signature are missing")
	}
	return *found, nil
}

// Fresh tells whether the attempt was made within Tolerance of now.
func (a Attempt) Fresh(now time.Time) bool {
	return now.Sub(a.Time).Abs() <= Tolerance
}

// readFamily returns nil where none of a family's headers is there.
func readFamily(header http.Header, family string) (*Attempt, error) {
	var (
		names  = [...]string{family + "Id", family + "Timestamp", family + "Signature"}
		values [len(names)]string
		seen   int
	)
	for i, name := range names {
		given := header.Values(name)
		if len(given) > 1 {
			return nil, fmt.Errorf("the header %s is there more than once", name)
		}
		if len(given) == 1 && given[0] != "" {
			values[i] = given[0]
			seen++
		}
	}
	if seen == 0 {
		return nil, nil
	}
	if seen < len(names) {
		return nil, fmt.Errorf("the headers %s, %s and %s must be there together", names[0], names[1], names[2])
	}
	if !isMessageID(values[0]) {
		return nil, fmt.Errorf("the header %s must be 1 to %d visible ASCII characters without a full stop", names[0], maxIDLength)
	}
	seconds, err := parseTimestamp(values[1])
	if err != nil {
		return nil, fmt.Errorf("the header %s must be a time in whole seconds", names[1])
	}
	return &Attempt{
		ID:   values[0],
		Time: time.Unix(seconds, 0).UTC(),
		header: http.Header{
			"Svix-Id":        {values[0]},
			"Svix-Timestamp": {values[1]},
			"Svix-Signature": {values[2]},
		},
	}, nil
}

// isMessageID refuses the full stop because it separates what is signed: "id.timestamp.body" must be read in one way alone.
func isMessageID(id string) bool {
	if len(id) > maxIDLength {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' || id[i] == '.' {
			return false
		}
	}
	return true
}

// parseTimestamp takes digits alone: the library signs the number and not its spelling, so +1 and 01 would pass for 1.
func parseTimestamp(value string) (int64, error) {
	if len(value) > maxTimestampLength || value[0] < '1' || value[0] > '9' {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(value, 10, 64)
}
