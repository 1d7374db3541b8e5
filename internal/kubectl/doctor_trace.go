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
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/endpoint"
)

// trace remembers of requests to the API server what the time was there, and which token was shown: that one may come from a program
// that the kubeconfig names. The token is never printed.
type trace struct {
	mu sync.Mutex

	// date is the API server's time at the moment seen, by this machine's.
	date, seen time.Time

	token string
}

// RoundTripper is how requests go.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (t *trace) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		t.mu.Lock()
		defer t.mu.Unlock()
		if token, bearer := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer "); bearer {
			t.token = token
		}
		if err != nil {
			return response, err
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			t.date, t.seen = date, time.Now()
		}
		return response, nil
	})
}

// now is the API server's time, or what stands in for it where that is not known.
func (t *trace) now(otherwise time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.date.IsZero() {
		return otherwise
	}
	return t.date.Add(time.Since(t.seen))
}

// presented says of the token that was shown who made it and for whom: "; your token is of <issuer>, for <audience>".
func (t *trace) presented() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	parts := strings.Split(t.token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Audience any    `json:"aud"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Issuer == "" {
		return ""
	}
	audience := "nobody in particular"
	switch named := claims.Audience.(type) {
	case string:
		audience = named
	case []any:
		audience = strings.Trim(fmt.Sprint(named), "[]")
	}
	return fmt.Sprintf("; your token is of %s, for %s", claims.Issuer, audience)
}

// tracedClient is the plugin's client, with a trace of its requests.
func (p *plugin) tracedClient(t *trace) (client.Client, error) {
	config, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	config.Wrap(t.wrap)
	return client.New(config, client.Options{Scheme: scheme, Mapper: newMapper()})
}

// checkClocks compares this machine's clock with the API server's.
func (d *doctor) checkClocks(context.Context) error {
	local := d.Now()
	skew := local.Sub(d.trace.now(local))
	if skew > maxSkew || skew < -maxSkew {
		d.wrong(checkClocks, "", "the clock of this machine is "+apart(skew)+" the API server's",
			"set both by NTP: Clerk's deliveries count for five minutes, and tokens by the API server's clock")
		return nil
	}
	d.passed(checkClocks, "this machine's and the API server's are less than %s apart", maxSkew)
	return nil
}

// checkEndpoint sends a forged delivery from here.
func (d *doctor) checkEndpoint(ctx context.Context, url string) {
	err := endpoint.CheckOnce(ctx, url, endpoint.ValidCertificate)
	switch {
	case errors.Is(err, endpoint.ErrNoAnswer):
		d.wrong(checkEndpoint, "", err.Error(), "see docs/expose.md: DNS, load balancer, Ingress or HTTPRoute, certificate, NetworkPolicy")
	case err != nil:
		d.wrong(checkEndpoint, "", err.Error(), "compare the URL with /webhooks/<ClerkInstance>, and see docs/expose.md")
	case !strings.HasPrefix(url, "https://"):
		d.wrong(checkEndpoint, "", "a forged delivery is refused, but the way there is not encrypted",
			"give Clerk an address that begins with https://")
	default:
		d.passed(checkEndpoint, "a forged delivery to %s is refused for its signature", url)
	}
}
