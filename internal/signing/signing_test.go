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

package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The known answer: signed by Svix, not by anything here.
const (
	knownSecret    = "whsec_plJ3nmyCDGBKInavdOK15jsl"
	knownBody      = `{"event_type":"ping","data":{"success":true}}`
	knownID        = "msg_loFOjxBNrRLzqYUf"
	knownTimestamp = "1731705121"
	knownSignature = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
)

// otherSecret is a usable secret that signed nothing.
const otherSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="

func headers(family, id, timestamp, signature string) http.Header {
	header := http.Header{}
	header.Set(family+"-id", id)
	header.Set(family+"-timestamp", timestamp)
	header.Set(family+"-signature", signature)
	return header
}

func secrets(values ...string) map[string][]byte {
	data := map[string][]byte{}
	for i, value := range values {
		data[fmt.Sprintf("key-%02d", i)] = []byte(value)
	}
	return data
}

// sign is the signature by the books, without the library.
func sign(key []byte, id, timestamp, body string) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestParse(t *testing.T) {
	cases := map[string]struct {
		reason   string
		data     map[string][]byte
		usable   int
		problems []Problem
	}{
		"none":           {reason: "an empty Secret has nothing to verify with", data: nil},
		"one":            {reason: "as Clerk's dashboard shows it", data: secrets(knownSecret), usable: 1},
		"without prefix": {reason: "Svix' libraries take it, too", data: secrets(strings.TrimPrefix(knownSecret, "whsec_")), usable: 1},
		"line break":     {reason: "editors and kubectl --from-file bring one", data: secrets(" " + knownSecret + "\r\n"), usable: 1},
		"rotation":       {reason: "every key counts", data: secrets(knownSecret, otherSecret), usable: 2},
		"one bad, one not": {
			reason:   "a bad key is no reason to refuse the good one",
			data:     secrets("", knownSecret),
			usable:   1,
			problems: []Problem{{"key-00", "is empty"}},
		},
		"empty": {
			reason: "anyone could sign with it", data: secrets(""),
			problems: []Problem{{"key-00", "is empty"}},
		},
		"white space": {
			reason: "empty in disguise", data: secrets(" \n"),
			problems: []Problem{{"key-00", "is empty"}},
		},
		"prefix alone": {
			reason: "its base64 part is empty", data: secrets("whsec_"),
			problems: []Problem{{"key-00", "is too short: a signing secret has at least 16 bytes"}},
		},
		"15 bytes": {
			reason: "can be guessed", data: secrets("whsec_MDEyMzQ1Njc4OWFiY2Rl"),
			problems: []Problem{{"key-00", "is too short: a signing secret has at least 16 bytes"}},
		},
		"an API key": {
			reason: "a common mistake", data: secrets("sk_test_" + "notARealKeyJustItsShape"),
			problems: []Problem{{"key-00", "is no signing secret: it must be whsec_ followed by base64"}},
		},
		"too many": {
			reason: "each costs an HMAC over every forged body", data: secrets(strings.Split(strings.Repeat(knownSecret+" ", 17), " ")[:17]...),
			usable: 16, problems: []Problem{{"key-16", "only 16 signing secrets are tried: remove old ones"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			verifier, problems := Parse(tc.data)
			if got := len(verifier.webhooks); got != tc.usable || verifier.Usable() != (tc.usable > 0) {
				t.Errorf("%s: %d usable secrets, want %d", tc.reason, got, tc.usable)
			}
			if diff := cmp.Diff(tc.problems, problems); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	forgedWithNothing := sign(nil, knownID, knownTimestamp, knownBody)
	cases := map[string]struct {
		reason  string
		data    map[string][]byte
		header  http.Header
		body    string
		matches bool
	}{
		"known answer": {
			"Svix signed it", secrets(knownSecret), headers("svix", knownID, knownTimestamp, knownSignature), knownBody, true,
		},
		"webhook-*": {
			"Standard Webhooks sign alike", secrets(knownSecret), headers("webhook", knownID, knownTimestamp, knownSignature), knownBody, true,
		},
		"second secret": {
			"during a rotation the old one still signs",
			secrets(otherSecret, knownSecret), headers("svix", knownID, knownTimestamp, knownSignature), knownBody, true,
		},
		"second signature": {
			"during a rotation both sign; versions nobody knows are skipped",
			secrets(knownSecret), headers("svix", knownID, knownTimestamp, "v1,AAAA v2,x v1a,y junk "+knownSignature), knownBody, true,
		},
		"other secret": {
			"not this endpoint's", secrets(otherSecret), headers("svix", knownID, knownTimestamp, knownSignature), knownBody, false,
		},
		"no secret": {
			"nothing verifies", nil, headers("svix", knownID, knownTimestamp, forgedWithNothing), knownBody, false,
		},
		"signed with the empty secret": {
			"an empty key of the Secret must not let everyone in",
			secrets("", knownSecret), headers("svix", knownID, knownTimestamp, forgedWithNothing), knownBody, false,
		},
		"changed body": {
			"one byte more", secrets(knownSecret), headers("svix", knownID, knownTimestamp, knownSignature), knownBody + " ", false,
		},
		"changed id": {
			"the id is signed", secrets(knownSecret), headers("svix", knownID+"x", knownTimestamp, knownSignature), knownBody, false,
		},
		"changed time": {
			"the time is signed", secrets(knownSecret), headers("svix", knownID, "1731705122", knownSignature), knownBody, false,
		},
		"other version": {
			"v1 alone is an HMAC", secrets(knownSecret), headers("svix", knownID, knownTimestamp, "v2"+knownSignature[2:]), knownBody, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			attempt, err := ReadAttempt(tc.header)
			if err != nil {
				t.Fatal(err)
			}
			verifier, _ := Parse(tc.data)
			if err := verifier.Verify([]byte(tc.body), attempt); (err == nil) != tc.matches {
				t.Errorf("%s: Verify() = %v, want a match: %v", tc.reason, err, tc.matches)
			}
		})
	}
}

func TestReadAttempt(t *testing.T) {
	with := func(header http.Header, name string, values ...string) http.Header {
		header[http.CanonicalHeaderKey(name)] = values
		return header
	}
	good := func() http.Header { return headers("svix", knownID, knownTimestamp, knownSignature) }
	both := headers("webhook", "msg_other", "1731705999", "v1,x")
	maps.Copy(both, good())
	cases := map[string]struct {
		reason string
		header http.Header
		ok     bool
	}{
		"svix":    {"what Clerk sends", good(), true},
		"webhook": {"what other senders send", headers("webhook", knownID, knownTimestamp, knownSignature), true},
		"both":    {"svix counts, as for the library", both, true},
		"webhook, svix all empty": {
			"a proxy may blank what it does not know",
			with(with(headers("webhook", knownID, knownTimestamp, "v1,x"), "svix-id", ""), "svix-signature", ""), true,
		},
		"longest id": {"", with(good(), "svix-id", strings.Repeat("i", 256)), true},

		"none":                      {"not a delivery", http.Header{}, false},
		"no id":                     {"", with(good(), "svix-id"), false},
		"empty id":                  {"", with(good(), "svix-id", ""), false},
		"no timestamp":              {"", with(good(), "svix-timestamp"), false},
		"no signature":              {"", with(good(), "svix-signature"), false},
		"mixed families":            {"whose are they?", with(with(good(), "svix-id"), "webhook-id", knownID), false},
		"one whole, one not":        {"nobody sends that", with(good(), "webhook-id", knownID), false},
		"id twice":                  {"which one is signed?", with(good(), "svix-id", knownID, knownID), false},
		"signature twice":           {"a list goes into one header", with(good(), "svix-signature", knownSignature, knownSignature), false},
		"id too long":               {"", with(good(), "svix-id", strings.Repeat("i", 257)), false},
		"id with a space":           {"", with(good(), "svix-id", "msg 1"), false},
		"id with a control char":    {"it is logged", with(good(), "svix-id", "msg\x1b[31m"), false},
		"id not ASCII":              {"", with(good(), "svix-id", "msg_é"), false},
		"id with a full stop":       {"id.timestamp.body must be read in one way alone", with(good(), "svix-id", "msg_1.1731705121"), false},
		"timestamp a word":          {"", with(good(), "svix-timestamp", "now"), false},
		"timestamp with a sign":     {"the library would read +1 as 1", with(good(), "svix-timestamp", "+1731705121"), false},
		"timestamp negative":        {"", with(good(), "svix-timestamp", "-1731705121"), false},
		"timestamp with a zero":     {"the library would read 01 as 1", with(good(), "svix-timestamp", "01731705121"), false},
		"timestamp with a fraction": {"", with(good(), "svix-timestamp", "1731705121.5"), false},
		"timestamp too long":        {"", with(good(), "svix-timestamp", "1731705121000"), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			attempt, err := ReadAttempt(tc.header)
			if (err == nil) != tc.ok {
				t.Fatalf("%s: ReadAttempt() = %v, want it to work: %v", tc.reason, err, tc.ok)
			}
			if !tc.ok {
				return
			}
			if got := attempt.header.Get("svix-id"); got != attempt.ID {
				t.Errorf("the library would verify the id %q, not %q", got, attempt.ID)
			}
			if got, want := attempt.header.Get("svix-timestamp"), fmt.Sprint(attempt.Time.Unix()); got != want || got != knownTimestamp {
				t.Errorf("the library would verify the timestamp %q, not %q", got, want)
			}
		})
	}
}

func TestFresh(t *testing.T) {
	now := time.Unix(1731705121, 0)
	cases := map[time.Duration]bool{
		0: true, -5 * time.Minute: true, 5 * time.Minute: true,
		-5*time.Minute - time.Second: false, 5*time.Minute + time.Second: false, -1e6 * time.Hour: false, 1e6 * time.Hour: false,
	}
	for age, want := range cases {
		if got := (Attempt{Time: now.Add(-age)}).Fresh(now); got != want {
			t.Errorf("an attempt %v old is fresh: %v, want %v", age, got, want)
		}
	}
}

// Whatever is sent, it verifies exactly when one of its v1 signatures is the HMAC by the books with a usable secret.
func FuzzVerify(f *testing.F) {
	f.Add(knownSecret, knownID, knownTimestamp, knownSignature, []byte(knownBody))
	f.Add(otherSecret, knownID, knownTimestamp, knownSignature, []byte(knownBody))
	f.Add("", knownID, knownTimestamp, sign(nil, knownID, knownTimestamp, knownBody), []byte(knownBody))
	f.Add("whsec_", "a", "1", "v1, v1,, ,v1", []byte{})
	f.Add(knownSecret+"\n", "msg_1.2", "+3", "v1,"+strings.Repeat("A", 44), []byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, secret, id, timestamp, signature string, body []byte) {
		verifier, problems := Parse(secrets(secret))
		if verifier.Usable() == (len(problems) > 0) {
			t.Fatalf("a secret is usable or has a problem, not both: %v", problems)
		}
		attempt, err := ReadAttempt(headers("svix", id, timestamp, signature))
		if err != nil {
			return
		}
		want := false
		if verifier.Usable() {
			key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
			if err != nil || len(key) < 16 {
				t.Fatalf("secret %q is taken for usable", secret)
			}
			expected := sign(key, id, timestamp, string(body))
			for one := range strings.SplitSeq(signature, " ") {
				// What follows a second comma the library does not read.
				parts := strings.SplitN(one, ",", 3)
				want = want || len(parts) > 1 && parts[0]+","+parts[1] == expected
			}
		}
		if got := verifier.Verify(body, attempt) == nil; got != want {
			t.Fatalf("Verify() = %v, want %v", got, want)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	verifier, _ := Parse(secrets(otherSecret, knownSecret))
	header := headers("svix", knownID, knownTimestamp, knownSignature)
	for b.Loop() {
		attempt, err := ReadAttempt(header)
		if err != nil {
			b.Fatal(err)
		}
		if err := verifier.Verify([]byte(knownBody), attempt); err != nil {
			b.Fatal(err)
		}
	}
}

// What Svix signed, is signed here alike.
func TestSignIsTheKnownAnswer(t *testing.T) {
	verifier, _ := Parse(secrets(knownSecret, otherSecret))
	header, err := verifier.Sign(knownID, time.Unix(1731705121, 0), []byte(knownBody))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(headers("svix", knownID, knownTimestamp, knownSignature), header); diff != "" {
		t.Errorf("signed otherwise (-want +got):\n%s", diff)
	}
	if _, err := (Verifier{}).Sign(knownID, time.Now(), nil); err == nil {
		t.Error("nothing to sign with, and it is signed")
	}
}
