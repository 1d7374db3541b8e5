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

package kubectl_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Where the ClusterRoleBindings are not seen and the ClusterGrant is not carried out, the page does not say that somebody has something.
func TestThePageSaysWhatIsNotCertainOfAClusterGrant(t *testing.T) {
	t.Parallel()
	w := settle(t, "uigrant", settlement{mode: v1alpha1.ModeObserve, residents: []resident{{role: "admin"}, {role: "member"}}})
	grant := w.grant(func(*v1alpha1.ClusterGrantSpec) {})
	w.must(cluster.Create(t.Context(), grant))
	t.Cleanup(func() { w.must(cluster.Delete(context.WithoutCancel(t.Context()), grant)) })
	w.settleGrant()

	page := servePage(t, "--as", "viewer")
	window := page.open()
	window.Look(1200, 760, false)
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
	window.Go(page.base + "/#/organizations/" + url.PathEscape(v1alpha1.ObjectName(w.instance, w.id(0))))
	window.Until("document.querySelectorAll('[role=treeitem]').length === 3")
	want := []string{
		"the whole cluster", "view ClusterGrant " + w.name + " 1 subject",
		"admin@example.com clerk:user_" + w.name + "0admin0 perhaps they should have it, but the ClusterGrant is not ready (Observing): " +
			"see kubectl describe clustergrant " + w.name + ", and ask the API server with kubectl auth can-i --as",
	}
	if have := texts(window, "[role=treeitem]"); !slices.Equal(have, want) {
		t.Errorf("the tree shows\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	// Where there is too little room, the reason is cut, and nothing else.
	cut := window.Texts(`[...document.querySelectorAll('.subject > :not(.why)')].filter(part => part.scrollWidth > part.clientWidth)
		.map(part => part.innerText)`)
	if len(cut) > 0 {
		t.Errorf("these are cut: %q", cut)
	}
}
