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

package cloudevent

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

func TestHeaderValuesAreEncodedAsTheBindingSays(t *testing.T) {
	for value, want := range map[string]string{
		"msg_2mZ":         "msg_2mZ",
		"a b":             "a%20b",
		`say "100%"`:      "say%20%22100%25%22",
		"Euro € 😀":        "Euro%20%E2%82%AC%20%F0%9F%98%80",
		"line\r\nbreak":   "line%0D%0Abreak",
		"urn:clerk:ins_1": "urn:clerk:ins_1",
		"\x7f~!":          "%7F~!",
		"\xff":            "%EF%BF%BD",
	} {
		if got := encode(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestAttributesHaveNamesOfLowerCaseLettersAndDigits(t *testing.T) {
	event := Event{
		ID: "1", Source: "s", Type: "t", Subject: "x", Time: time.Unix(1, 0), PartitionKey: "p", Organization: "o", UpdatedAt: time.Unix(2, 0),
		Superseded: new(true),
	}
	attributes := event.Attributes()
	if len(attributes) != 10 {
		t.Errorf("%d attributes, want 10: %v", len(attributes), attributes)
	}
	for _, attribute := range attributes {
		if strings.Trim(attribute.Name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(attribute.Name) > 20 {
			t.Errorf("%s is no name of an attribute", attribute.Name)
		}
	}
	for _, header := range event.Headers() {
		if !strings.HasPrefix(header.Name, "ce-") {
			t.Errorf("%s is no header of an attribute", header.Name)
		}
	}
}

func TestTheStructuredModeIsReadByTheOfficialSDKWithWhateverIsInIt(t *testing.T) {
	event := Event{
		ID: `msg_"\ €`, Source: "urn:clerk:ins_1", Type: "com.clerk.user.created", Superseded: new(false), Organization: "org_1",
		Data: json.RawMessage(`{"name":"<&>","n":12345678901234567890}`),
	}
	text, err := event.Structured()
	if err != nil {
		t.Fatal(err)
	}
	var read cloudevents.Event
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := read.Validate(); err != nil {
		t.Fatal(err)
	}
	superseded, isBool := read.Extensions()["clerksuperseded"].(bool)
	if read.ID() != event.ID || string(read.Data()) != string(event.Data) || !isBool || superseded {
		t.Errorf("read as %s", read)
	}
}
