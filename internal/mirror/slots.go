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

package mirror

import (
	"context"
	"sync"
)

// writesAtATime bounds the writes that are under way. The API server answers more at a time no sooner, it only shares its processors among
// them; so those that matter most are to wait here, where they can be told apart. At 10 ms a write it is 1,600 a second.
const writesAtATime = 16

// rank says which writes go first.
type rank int

const (
	// revoking: something that is known changes, or is deleted. That may take somebody's access away.
	revoking rank = iota

	// heard: something new, of which an event tells.
	heard

	// listed: what a resync found. Nobody waits for that.
	listed

	ranks
)

// slots are places for writes that are under way.
type slots struct {
	mu      sync.Mutex
	taken   int
	waiting [ranks][]chan struct{}
}

// take waits for a place, behind those of its rank and of higher ones. The place is to be given back.
func (s *slots) take(ctx context.Context, of rank) (giveBack func(), err error) {
	s.mu.Lock()
	if s.taken < writesAtATime {
		s.taken++
		s.mu.Unlock()
		return s.giveBack, nil
	}
	turn := make(chan struct{})
	s.waiting[of] = append(s.waiting[of], turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return s.giveBack, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting[of] {
		if other == turn {
			s.waiting[of] = append(s.waiting[of][:i], s.waiting[of][i+1:]...)
			return nil, ctx.Err()
		}
	}
	s.next() // it came, just when nobody waited for it any more
	return nil, ctx.Err()
}

func (s *slots) giveBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next()
}

// next hands a place on to who has waited longest among those of the highest rank.
func (s *slots) next() {
	for of := range s.waiting {
		if len(s.waiting[of]) > 0 {
			close(s.waiting[of][0])
			s.waiting[of] = s.waiting[of][1:]
			return
		}
	}
	s.taken--
}
