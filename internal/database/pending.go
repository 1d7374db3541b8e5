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

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// key is a row.
type key struct {
	table v1alpha1.DatabaseTable
	id    string
}

// change is what is known of a row that has to be looked at.
type change struct {
	since time.Time
	// gone is the uid of an object that was deleted.
	gone types.UID
}

// pending are the rows that have to be looked at, up to a bound. It is safe for concurrent use.
type pending struct {
	mu      sync.Mutex
	changes map[key]change
	// missed counts the changes that there was no room for, since missedSince: everything has to be compared.
	missed      int64
	missedSince time.Time
	signal      chan struct{}
}

func newPending() *pending {
	return &pending{changes: map[key]change{}, signal: make(chan struct{}, 1)}
}

// add takes note of a change. One that was known already keeps its time.
func (p *pending) add(at key, news change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, isKnown := p.changes[at]
	if !isKnown && len(p.changes) >= maxPending {
		if p.missed == 0 {
			p.missedSince = news.since
		}
		p.missed++
	} else {
		if isKnown && known.since.Before(news.since) {
			news.since = known.since
		}
		p.changes[at] = news
	}
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// giveBack puts changes back that could not be written, but over none that came since.
func (p *pending) giveBack(changes map[key]change) {
	for at, older := range changes {
		p.mu.Lock()
		newer, isKnown := p.changes[at]
		p.mu.Unlock()
		if isKnown {
			older.gone = newer.gone
		}
		p.add(at, older)
	}
}

// take takes changes of one table.
func (p *pending) take(limit int) map[key]change {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := map[key]change{}
	var table v1alpha1.DatabaseTable
	for at, change := range p.changes {
		if len(taken) == 0 {
			table = at.table
		}
		if at.table != table {
			continue
		}
		taken[at] = change
		delete(p.changes, at)
		if len(taken) == limit {
			break
		}
	}
	return taken
}

// overflowed tells whether changes were missed, and forgets it: the caller compares everything from here on.
func (p *pending) overflowed() (since time.Time, yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since, yes = p.missedSince, p.missed > 0
	p.missed, p.missedSince = 0, time.Time{}
	return since, yes
}

// lag is how many rows wait, and since when the first of them has.
func (p *pending) lag() (rows int64, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since = p.missedSince
	for _, change := range p.changes {
		if since.IsZero() || change.since.Before(since) {
			since = change.since
		}
	}
	return int64(len(p.changes)) + p.missed, since
}
