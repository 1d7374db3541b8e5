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

package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// maxStreams is how many pages may be open at a time.
	maxStreams = 32

	// changeInterval is how often changes are told at most: a screen needs no more, and every page asks anew after each.
	changeInterval = 250 * time.Millisecond

	// aliveInterval is how often something is said where nothing changes, so that a page notices when nobody is there any more.
	aliveInterval = 10 * time.Second
)

// changes tells the state, and again whenever something may have changed, as Server-Sent Events.
func (s *Server) changes(w http.ResponseWriter, r *http.Request) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		refuse(w, http.StatusServiceUnavailable, "the page is open too often: close some")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	connection := http.NewResponseController(w)
	for {
		state, changed := s.source.State()
		content, err := json.Marshal(state)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", content); err != nil {
			return
		}
		if connection.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(aliveInterval):
		case <-changed:
			select {
			case <-r.Context().Done():
				return
			case <-time.After(changeInterval):
			}
		}
	}
}
