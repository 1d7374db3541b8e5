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

package receiver

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const nextSinkSecret = "whsec_bmV4dHNpbmtzaW5rc2luaw=="

func TestASinksSecretIsRotatedWithoutARefusal(t *testing.T) {
	target := newService(t)
	b, _ := withSinks(t, target.URL, nil, "audit")
	const accepted, unauthorized = http.StatusNoContent, http.StatusUnauthorized
	for i, step := range []struct {
		keys     map[string][]byte
		old, new int
	}{
		{map[string][]byte{"a": []byte(sinkSecret)}, accepted, unauthorized},
		{map[string][]byte{"a": []byte(sinkSecret), "b": []byte(nextSinkSecret)}, accepted, accepted},
		{map[string][]byte{"b": []byte(nextSinkSecret)}, unauthorized, accepted},
		{map[string][]byte{"b": []byte("")}, http.StatusServiceUnavailable, http.StatusServiceUnavailable},
	} {
		b.objects.change(func(o *objects) { o.secrets[sinkSecretName] = step.keys })
		for signedWith, want := range map[string]int{sinkSecret: step.old, nextSinkSecret: step.new} {
			answer := b.mustSend(t, toSink("audit", example(t, "user.created")).with(func(p *post) {
				p.id, p.secret = fmt.Sprintf("msg_%d", i), signedWith
			}))
			if answer.status != want {
				t.Errorf("step %d, signed with %s: %d %s, want %d", i, signedWith, answer.status, answer.body, want)
			}
		}
	}
}

func TestANATSServerOnThisMachineIsRefusedWhenItIsDialled(t *testing.T) {
	for _, server := range []string{"nats://localhost:4222", "nats://127.0.0.1:4222", "nats://[::ffff:127.0.0.1]:4222", "tls://169.254.169.254:4222"} {
		b, notes := withSinks(t, "", func(s *v1alpha1.ClerkSinkSpec) {
			s.HTTP, s.NATS = nil, &v1alpha1.SinkNATS{Servers: []string{server}, SubjectPrefix: "clerk"}
		}, "audit")
		b.options.Sinks = strict(b)
		answer := b.mustSend(t, toSink("audit", example(t, "user.created")))
		if answer.status != http.StatusServiceUnavailable || notes.last() != "audit failed address_refused" {
			t.Errorf("%s: %d %s, noted %q", server, answer.status, answer.body, notes.last())
		}
	}
}
