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

package kubectl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheTreeShowsWhatClusterGrantsGive(t *testing.T) {
	t.Parallel()
	until := metav1.NewTime(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	holders := []ClusterHolder{
		{Name: "staff", ClusterRole: "view", Subject: "clerk:jane", Person: "jane@a.example", Until: &until},
		{Name: "on-call", ClusterRole: "edit", Subject: "clerk:joe", Person: "joe@a.example", Uncertain: true, Message: "it is not carried out"},
		{Name: "staff", ClusterRole: "view", Subject: "clerk:left", Message: "it ended"},
		{Name: "on-call", ClusterRole: "edit", Subject: "clerk:zoe", Person: "zoe@a.example", Uncertain: true, Message: "it is not carried out"},
	}
	tree := &Tree{
		Organizations: []TreeOrganization{
			{Slug: "a", ID: "org_a", Ready: true, Namespaces: []TreeNamespace{{Name: "org-a"}}, ClusterGrants: holders},
			{Slug: "b", ID: "org_b", Ready: true, ClusterGrants: holders[1:2]},
		},
		Notes: []string{"something is not seen"},
	}
	want := `a  org_a  no class, 0 members, ready
├─ org-a
└─ the whole cluster
   ├─ edit  ClusterGrant on-call
   │  ├─ joe@a.example  clerk:joe  perhaps
   │  └─ zoe@a.example  clerk:zoe  perhaps
   └─ view  ClusterGrant staff
      ├─ jane@a.example  clerk:jane  until 2026-07-01T00:00:00Z
      └─ clerk:left  should not have it
b  org_b  no class, 0 members, ready
└─ the whole cluster
   └─ edit  ClusterGrant on-call
      └─ joe@a.example  clerk:joe  perhaps
ClusterGrant on-call: it is not carried out
ClusterGrant staff: it ended
Note: something is not seen
`
	var out page
	tree.text(&out)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
}

func TestTheTreeShowsNoMoreHoldersThanPeopleRead(t *testing.T) {
	t.Parallel()
	organization := TreeOrganization{Slug: "a", ID: "org_a"}
	for i := range maxBranches + 5 {
		organization.ClusterGrants = append(organization.ClusterGrants,
			ClusterHolder{Name: "staff", ClusterRole: "view", Subject: fmt.Sprintf("clerk:%02d", i)})
	}
	for _, isWide := range []bool{false, true} {
		out := page{wide: isWide}
		(&Tree{Organizations: []TreeOrganization{organization}}).text(&out)
		have, want := strings.Count(out.String(), "clerk:"), maxBranches
		if isWide {
			want += 5
		}
		if have != want || strings.Contains(out.String(), "└─ and 5 more: -o wide shows them\n") == isWide {
			t.Errorf("wide: %t: %d are shown, want %d:\n%s", isWide, have, want, &out)
		}
	}
}
