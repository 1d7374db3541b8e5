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
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
)

// servedPage is a page that is being served.
type servedPage struct {
	test *testing.T

	// address is what the command printed, and base where requests go.
	address, base, token string
}

// servePage runs kubectl clerk ui until the test ends.
func servePage(t *testing.T, args ...string) *servedPage {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- kubectl.Main(ctx, kubectl.Options{
			Streams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: in, ErrOut: in},
			Now:     func() time.Time { return now }, Version: "test",
		}, append([]string{"ui", "--kubeconfig", kubeconfig}, args...)...)
		_ = in.Close()
	}()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the command printed %q: %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("kubectl clerk ui ended with exit code %d", code)
		}
	})
	p := &servedPage{test: t, address: strings.TrimPrefix(strings.TrimSpace(line), "The page is at ")}
	var found bool
	if p.base, p.token, found = strings.Cut(p.address, "/#token="); !found {
		t.Fatalf("the command printed %q", line)
	}
	return p
}

// ask asks the page's server; change makes the request another.
func (p *servedPage) ask(path string, change func(*http.Request)) (status int, header http.Header, body []byte) {
	p.test.Helper()
	request, err := http.NewRequestWithContext(p.test.Context(), http.MethodGet, p.base+path, http.NoBody)
	if err != nil {
		p.test.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	if change != nil {
		change(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.test.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		p.test.Fatal(err)
	}
	return response.StatusCode, response.Header, body
}

// answer is what the page is told.
func (p *servedPage) answer(path string, into any) {
	p.test.Helper()
	status, _, body := p.ask(path, nil)
	if status != http.StatusOK {
		p.test.Fatalf("GET %s: %d: %s", path, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		p.test.Fatal(err)
	}
}

func TestThePageAnswersNobodyElse(t *testing.T) {
	page := servePage(t)
	port := page.base[strings.LastIndex(page.base, ":"):]
	method := func(method string) func(*http.Request) { return func(r *http.Request) { r.Method = method } }
	host := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	const api = "/api/organizations"
	tests := map[string]struct {
		path   string
		change func(*http.Request)
		status int
	}{
		"who has the token":           {api, nil, 200},
		"by the name localhost":       {api, host("localhost" + port), 200},
		"no token":                    {api, func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"another token":               {api, header("Authorization", "Bearer "+strings.Repeat("A", len(page.token))), 401},
		"a part of the token":         {api, header("Authorization", "Bearer "+page.token[:20]), 401},
		"the token as a password":     {api, header("Authorization", "Basic "+page.token), 401},
		"no token for changes":        {"/api/changes", header("Authorization", ""), 401},
		"no token, unknown answer":    {"/api/secrets", header("Authorization", ""), 401},
		"a name led to loopback":      {api, host("attacker.example" + port), 421},
		"the page by such a name":     {"/", host("attacker.example" + port), 421},
		"another port":                {api, host("127.0.0.1:1"), 421},
		"no port":                     {api, host("127.0.0.1"), 421},
		"another site's page":         {api, header("Sec-Fetch-Site", "cross-site"), 403},
		"another port's page":         {api, header("Sec-Fetch-Site", "same-site"), 403},
		"a link to an answer":         {api, header("Sec-Fetch-Site", "none"), 403},
		"POST":                        {api, method(http.MethodPost), 405},
		"PUT":                         {api, method(http.MethodPut), 405},
		"PATCH":                       {api, method(http.MethodPatch), 405},
		"DELETE":                      {api, method(http.MethodDelete), 405},
		"HEAD":                        {"/", method(http.MethodHead), 405},
		"OPTIONS":                     {api, method(http.MethodOptions), 405},
		"an unknown answer":           {"/api/secrets", nil, 404},
		"an unknown path":             {"/index.html/../../go.mod", nil, 404},
		"an unknown organization":     {"/api/organization?name=nowhere", nil, 404},
		"an unknown person":           {"/api/person?instance=default&id=nobody", nil, 404},
		"the page, without the token": {"/", header("Authorization", ""), 200},
	}
	for name, test := range tests {
		status, headers, body := page.ask(test.path, test.change)
		if status != test.status {
			t.Errorf("%s: %d, want %d: %s", name, status, test.status, body)
		}
		policy := headers.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: the policy is %q", name, policy)
		}
		if headers.Get("X-Content-Type-Options") != "nosniff" || headers.Get("Cache-Control") != "no-store" ||
			len(headers.Values("Set-Cookie")) > 0 || headers.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: the headers are %v", name, headers)
		}
		if strings.Contains(string(body), page.token) {
			t.Errorf("%s: the answer says the token", name)
		}
		if status != http.StatusOK && strings.Contains(string(body), "Acme") {
			t.Errorf("%s: the refusal says what is in the cluster: %s", name, body)
		}
	}
}

func TestThePageHasATokenOfItsOwnEachTime(t *testing.T) {
	first, second := servePage(t), servePage(t)
	if first.token == second.token || len(first.token) < 26 {
		t.Errorf("the tokens are %q and %q", first.token, second.token)
	}
	asFirst := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+first.token) }
	if status, _, _ := second.ask("/api/organizations", asFirst); status != http.StatusUnauthorized {
		t.Errorf("one page's token opens another: %d", status)
	}
}

func TestThePageIsServedOnAPortOfOnesChoice(t *testing.T) {
	first := servePage(t)
	port := first.base[strings.LastIndex(first.base, ":")+1:]
	taken := run(t, "ui", "--port", port)
	if taken.code != 1 || !strings.Contains(taken.errors, "try another --port") {
		t.Errorf("a port that is taken: %+v", taken)
	}
}

// The built page names no host, and nothing in it makes HTML of a text.
func TestThePageIsMadeOfItsOwnFiles(t *testing.T) {
	for _, name := range []string{"index.html", "page.js", "page.css", "icon.svg"} {
		content, err := os.ReadFile(filepath.Join("ui", "assets", name))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(content), "http://www.w3.org/", "")
		for _, forbidden := range []string{"http://", "https://", "eval(", "new Function", "document.write", "insertAdjacentHTML"} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%s has %q", name, forbidden)
			}
		}
	}
	sources, err := filepath.Glob(filepath.Join("ui", "web", "src", "*.ts*"))
	if err != nil || len(sources) < 5 {
		t.Fatalf("%d sources: %v", len(sources), err)
	}
	for _, source := range sources {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(content)), "innerhtml") {
			t.Errorf("%s makes HTML of a text", source)
		}
	}
}
