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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxStreams is how many pages may be open at a time. Browsers keep six connections to one server, and each page takes one of them for
	// changes: those that are left answer all others.
	maxStreams = 4

	// changeInterval is how often changes are told at most: a screen needs no more, and every page asks anew after each.
	changeInterval = 250 * time.Millisecond

	// aliveInterval is how often something is said where nothing changes, so that a page notices when nobody is there any more.
	aliveInterval = 10 * time.Second

	// staleAfter is how often a page asks anew where nothing changes: what follows from the time alone is no older.
	staleAfter = time.Minute
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
		if say(w, connection, fmt.Sprintf("data: %s\n\n", content)) != nil || !untilChanged(r.Context(), w, connection, changed) {
			return
		}
	}
}

func say(w io.Writer, connection *http.ResponseController, text string) error {
	_, err := io.WriteString(w, text)
	return errors.Join(err, connection.Flush())
}

// untilChanged waits until there is something to ask anew, and says meanwhile that it is still there. It is false where the page has gone.
func untilChanged(ctx context.Context, w io.Writer, connection *http.ResponseController, changed <-chan struct{}) bool {
	stale, alive := time.NewTimer(staleAfter), time.NewTicker(aliveInterval)
	defer stale.Stop()
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-stale.C:
			return true
		case <-alive.C:
			if say(w, connection, ": still here\n\n") != nil {
				return false
			}
		case <-changed:
			select {
			case <-ctx.Done():
				return false
			case <-time.After(changeInterval):
				return true
			}
		}
	}
}
