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

package sink

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestWhatIsNoEventIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ body, refusal string }{
		"nothing":                      {``, "not the JSON"},
		"half of one":                  {`{"type":"user.created","data":{"id":"user_1"}`, "not the JSON"},
		"one with something behind it": {`{"type":"user.created"} x`, "not the JSON"},
		"a list":                       {`[{"type":"user.created"}]`, "not the JSON"},
		"no type":                      {`{"data":{}}`, "type:"},
		"a type that is none":          {`{"type":7}`, "type:"},
		"a type with odd characters":   {`{"type":"a b"}`, "type:"},
		"an instance that is none":     {`{"type":"user.created","instance_id":7}`, "instance_id:"},
		"an instance with a space":     {`{"type":"user.created","instance_id":"a b"}`, "instance_id:"},
		"a list of data":               {`{"type":"user.created","data":[]}`, "data:"},
		"data that is a text":          {`{"type":"user.created","data":"{}"}`, "data:"},
		"data that is too deep":        {`{"type":"user.created","data":` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70) + "}", "data: nested"},
	} {
		if _, err := Decode([]byte(test.body)); err == nil || !strings.Contains(err.Error(), test.refusal) {
			t.Errorf("%s: %v, want a refusal with %q", name, err, test.refusal)
		}
	}
	for _, body := range []string{
		`{"type":"user.created"}`, ` {"type" : "user.created" , "data" : null , "instance_id" : "" }`, `{"type":"user.created","instance_id":null}`,
	} {
		if event, err := Decode([]byte(body)); err != nil || event.Type != "user.created" || event.raw != nil {
			t.Errorf("%s: %+v, %v", body, event, err)
		}
	}
}

// FuzzDecode compares what is read from the text with what encoding/json reads.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"a","type":"user.created","data":{"i\u0064":"user_1","id":"user_2","updated_at":1716883200000}}`))
	f.Add([]byte(`{"data":{"organization":{"id":"org_1"},"x":["}",{"id":"no"}]},"type":"session.created","\u0074ype":"sms.created"}`))
	f.Add([]byte("{\"type\":\"user.created\",\"data\":{\"id\":\"\xff\",\"payer\":{\"organization_id\":\"org_1\"}}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := Decode(body)
		if err != nil {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(bytes.ToValidUTF8(body, []byte("\uFFFD")), &want); err != nil {
			t.Fatalf("%q: understood, and no JSON: %v", body, err)
		}
		data, _ := want["data"].(map[string]any)
		if event.Type != want["type"] {
			t.Errorf("%q: type %q, want %v", body, event.Type, want["type"])
		}
		if id, _ := data["id"].(string); idForm.MatchString(id) != (event.Subject != "") || event.Subject != "" && event.Subject != id {
			t.Errorf("%q: subject %q, want %q", body, event.Subject, id)
		}
		if len(data) != len(event.values()) {
			t.Errorf("%q: data %v, want %v", body, event.values(), data)
		}
	})
}
