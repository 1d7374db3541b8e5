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

package resync

import (
	"testing"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestHowManyMayGoAtOnce(t *testing.T) {
	bounds := func(count, percent int32) v1alpha1.ClerkInstancePrune {
		return v1alpha1.ClerkInstancePrune{MaxCount: &count, MaxPercent: &percent}
	}
	for name, test := range map[string]struct {
		bounds   v1alpha1.ClerkInstancePrune
		mirrored int
		want     int
	}{
		"by default, few":            {v1alpha1.ClerkInstancePrune{}, 10, 5},
		"by default, a handful":      {v1alpha1.ClerkInstancePrune{}, 25, 5},
		"by default, a fifth":        {v1alpha1.ClerkInstancePrune{}, 30, 6},
		"by default, rounded down":   {v1alpha1.ClerkInstancePrune{}, 34, 6},
		"by default, at the count":   {v1alpha1.ClerkInstancePrune{}, 500, 100},
		"by default, beyond it":      {v1alpha1.ClerkInstancePrune{}, 1000000, 100},
		"nothing by count":           {bounds(0, 100), 100, 0},
		"less than a handful":        {bounds(3, 0), 100, 3},
		"nothing by percent":         {bounds(100, 0), 1000, 5},
		"all by percent":             {bounds(1<<31-1, 100), 1000, 1000},
		"all of very many":           {bounds(1<<31-1, 100), 30000000, 30000000},
		"none is mirrored":           {bounds(1<<31-1, 100), 0, 5},
		"one below the whole number": {bounds(1000, 99), 100, 99},
	} {
		t.Run(name, func(t *testing.T) {
			if have := allowance(test.bounds, test.mirrored); have != test.want {
				t.Errorf("%d may go, want %d", have, test.want)
			}
		})
	}
}
