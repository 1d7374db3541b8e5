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

package write

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStatusesGiveWayToAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gate StatusGate
		if gate.wait(t.Context(), time.Minute) {
			t.Error("waited although no access is being changed")
		}

		if gate.IsBusy() {
			t.Error("access is being changed before anybody began")
		}

		first, second := gate.Begin(), gate.Begin()
		if !gate.IsBusy() {
			t.Error("no access is being changed although two began")
		}
		go func() {
			time.Sleep(10 * time.Millisecond)
			first()
			time.Sleep(10 * time.Millisecond)
			second()
		}()
		began := time.Now()
		if !gate.wait(t.Context(), time.Second) || time.Since(began) != 20*time.Millisecond {
			t.Errorf("waited %s, want until the last change ended", time.Since(began))
		}
		if gate.wait(t.Context(), time.Second) {
			t.Error("waited although every change has ended")
		}

		release := gate.Begin()
		began = time.Now()
		if !gate.wait(t.Context(), time.Second) || time.Since(began) != time.Second {
			t.Errorf("waited %s for a change that does not end, want its patience", time.Since(began))
		}
		release()
	})
}

func TestStatusesComeAlthoughAccessNeverRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 8
		gate := NewStatusGate()
		defer gate.Begin()()
		began := time.Now()
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for range 10 * statusRate / workers {
					gate.Wait(t.Context())
				}
			})
		}
		group.Wait()
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("%d statuses took %s", 10*statusRate, took)
		}
	})
}
