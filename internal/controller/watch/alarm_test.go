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

package watch

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// names are what a queue holds, each taken out.
func names(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) []string {
	synctest.Wait()
	var names []string
	for queue.Len() > 0 {
		request, _ := queue.Get()
		names = append(names, request.Name)
		queue.Done(request)
	}
	return names
}

func TestAnAlarmGoesOffAtItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		defer queue.ShutDown()
		ctx, cancel := context.WithCancel(t.Context())
		alarms := &Alarms{Now: time.Now, Delay: time.Second}
		if err := alarms.Source().Start(ctx, queue); err != nil {
			t.Fatal(err)
		}
		at := func(after time.Duration) *time.Time { return new(time.Now().Add(after)) }
		want := func(what string, want ...string) {
			t.Helper()
			got := names(queue)
			if len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
				t.Errorf("%s: %v are enqueued, want %v", what, got, want)
			}
		}
		alarms.Reset("acme", at(time.Hour))
		alarms.Reset("acme", at(time.Hour))
		time.Sleep(time.Hour)
		want("at its time, which the delay is added to")
		time.Sleep(time.Second)
		want("after the delay", "acme")
		time.Sleep(time.Hour)
		want("no second time")

		alarms.Reset("acme", at(time.Hour))
		alarms.Reset("acme", at(2*time.Hour))
		time.Sleep(time.Hour + time.Second)
		want("a later one takes its place")
		alarms.Reset("acme", at(time.Minute))
		time.Sleep(time.Minute + time.Second)
		want("an earlier one too", "acme")
		alarms.Reset("acme", at(time.Minute))
		alarms.Reset("acme", nil)
		time.Sleep(time.Hour)
		want("none")
		alarms.Reset("acme", at(-time.Hour))
		want("one that is past", "acme")

		// The clock is set forward, as after a halt of the machine.
		var skew atomic.Int64
		alarms.Now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
		alarms.Reset("acme", at(24*time.Hour))
		skew.Store(int64(24 * time.Hour))
		time.Sleep(longestSleep + time.Second)
		want("a day earlier than was to be expected", "acme")

		alarms.Reset("acme", at(48*time.Hour))
		cancel()
		time.Sleep(72 * time.Hour)
		want("not after the end")
	})
}
