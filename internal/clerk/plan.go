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

package clerk

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Plan is a plan of Clerk's billing, with what it gives. What it costs is not read.
type Plan struct {
	ID, Slug string
	// Features are the slugs of what it gives, sorted, without duplicates.
	Features []string
	// IsDefault says that whoever has no other plan has this one.
	IsDefault bool
	// IsForUsers says that it is none for organizations.
	IsForUsers bool
}

type planJSON struct {
	ID        string      `json:"id"`
	Slug      string      `json:"slug"`
	IsDefault lax[bool]   `json:"is_default"`
	Payers    lax[string] `json:"for_payer_type"`
	Features  []struct {
		Slug string `json:"slug"`
	} `json:"features"`
}

// DecodePlan reads a plan: a row of a list. Nothing of it may be odd, since its features decide about access.
func DecodePlan(data json.RawMessage) (Plan, error) {
	var raw planJSON
	if err := unmarshal("data", data, &raw); err != nil {
		return Plan{}, err
	}
	if err := CheckID("data.id", raw.ID); err != nil {
		return Plan{}, err
	}
	if err := CheckKey("data.slug", raw.Slug, maxSlugLength); err != nil {
		return Plan{}, err
	}
	if len(raw.Features) > maxFeatures {
		return Plan{}, fmt.Errorf("data.features: more than %d", maxFeatures)
	}
	plan := Plan{ID: raw.ID, Slug: raw.Slug, IsDefault: raw.IsDefault.value, IsForUsers: raw.Payers.value == "user"}
	for i, feature := range raw.Features {
		if err := CheckKey(fmt.Sprintf("data.features[%d].slug", i), feature.Slug, maxSlugLength); err != nil {
			return Plan{}, err
		}
		plan.Features = append(plan.Features, feature.Slug)
	}
	slices.Sort(plan.Features)
	plan.Features = slices.Compact(plan.Features)
	return plan, nil
}
