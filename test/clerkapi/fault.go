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

package clerkapi

import (
	"net/http"
	"strconv"
	"time"
)

// Fault is how a request fails, or is slow. The zero Fault does nothing.
type Fault struct {
	// Delay comes before the answer.
	Delay time.Duration

	// Status is answered in place of what was asked for; 0: nothing is.
	Status int

	// RetryAfter is the header of that name.
	RetryAfter string

	// Location is the header of that name.
	Location string

	// Code makes the answer an error as Clerk writes it; without one it is Body.
	Code string
	Body string

	// Truncated lets the connection end in the middle of the true answer.
	Truncated bool

	// Drop answers nothing at all.
	Drop bool
}

// TooManyRequests is Clerk's word that the rate is too high.
func TooManyRequests(retryAfter string) Fault {
	return Fault{Status: http.StatusTooManyRequests, Code: "too_many_requests", RetryAfter: retryAfter}
}

// Refused is an error as Clerk writes it.
func Refused(status int) Fault {
	return Fault{Status: status, Code: "fault_" + strconv.Itoa(status)}
}

// ProxyError is an error that something before Clerk wrote.
func ProxyError(status int) Fault {
	return Fault{Status: status, Body: "<html><body>" + http.StatusText(status) + "</body></html>"}
}

// NotJSON is a success that says nothing.
func NotJSON() Fault {
	return Fault{Status: http.StatusOK, Body: "<html><body>Welcome</body></html>"}
}
