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
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/clerk-operator/clerk-operator/test/browser"
)

// The policy is enforced, not only said: what it forbids fails in a browser.
func TestThePolicyForbidsWhatThePageNeverDoes(t *testing.T) {
	page := servePage(t)
	window := browser.Open(t)
	window.Go(page.address)
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 0", organizationRows))
	window.Until(`(() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch { return true } })()`)

	// A server that answers every page is not asked by this one.
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", "text/html")
	}))
	defer elsewhere.Close()
	other := browser.Open(t)
	other.Go(strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1))
	fetched := fmt.Sprintf("window.asked ??= fetch('%s/answer')", elsewhere.URL)
	other.Until("(" + fetched + ".then(answer => window.answered = answer.ok)) && window.answered")
	before := asked.Load()
	window.Until(`addEventListener('securitypolicyviolation', event =>
		window.violation = event.effectiveDirective + ' ' + event.blockedURI + ' ' + event.disposition) || true`)
	window.Until("(" + fetched + ".catch(error => window.refused = error)) && window.refused && window.violation")
	if have, want := window.Text("window.violation"), fmt.Sprintf("connect-src %s/answer enforce", elsewhere.URL); have != want {
		t.Errorf("the browser refuses by %q, want %q", have, want)
	}
	if after := asked.Load(); after != before {
		t.Errorf("the server that is elsewhere was asked %d times", after-before)
	}
	if problems := strings.Join(window.Problems(), "\n"); !strings.Contains(problems, "Content Security Policy") {
		t.Errorf("the browser does not say that the policy forbids it: %s", problems)
	}
	status, _, _ := page.ask("/?"+url.Values{"token": {page.token}}.Encode(), func(r *http.Request) { r.Header.Del("Authorization") })
	if status != http.StatusOK {
		t.Errorf("the page itself needs no token: %d", status)
	}
}
