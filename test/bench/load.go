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

package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// operation is one thing that is timed.
type operation func(context.Context) error

// timing is how long operations took: each of them, and all of them together.
type timing struct {
	each  []time.Duration
	total time.Duration
}

// perform carries operations out, so many at a time, in their order.
func perform(ctx context.Context, operations []operation, atATime int) (timing, error) {
	result := timing{each: make([]time.Duration, len(operations))}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range min(atATime, len(operations)) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(operations) || ctx.Err() != nil {
					return ctx.Err()
				}
				start := time.Now()
				if err := operations[i](ctx); err != nil {
					return err
				}
				result.each[i] = time.Since(start)
			}
		})
	}
	err := group.Wait()
	result.total = time.Since(began)
	return result, err
}

func (t *timing) add(other timing) {
	t.each = append(t.each, other.each...)
	t.total += other.total
}

// rate is how many there were in a second.
func (t timing) rate() float64 { return float64(len(t.each)) / t.total.Seconds() }

// percentile is the time that so many in a hundred took at most.
func (t timing) percentile(percent int) time.Duration {
	if len(t.each) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.each))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

func (t timing) longest() time.Duration {
	if len(t.each) == 0 {
		return 0
	}
	return slices.Max(t.each)
}

// patience is how long anything that must come true may take: a broken run is to end, a slow one is not.
const patience = 5 * time.Minute

// until asks, again and again with a pause, until the answer is yes.
func until(ctx context.Context, what string, pause time.Duration, holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		yes, err := holds(ctx)
		if err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(pause):
		}
	}
}
