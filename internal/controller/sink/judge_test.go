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
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/sink"
	"github.com/clerk-operator/clerk-operator/internal/sink/natstarget"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// good is a stream with which nothing is wrong.
func good(change func(*natstarget.Stream)) *natstarget.Stream {
	stream := &natstarget.Stream{Name: "CLERK", Window: natstarget.LongestRetry, Replicas: enoughReplicas}
	change(stream)
	return stream
}

func nothing(*natstarget.Stream) {}

// toNATS are facts of a sink that publishes.
func toNATS(stream *natstarget.Stream) facts {
	object := &v1alpha1.ClerkSink{ObjectMeta: metav1.ObjectMeta{Name: "audit", Generation: 3}}
	object.Spec.InstanceRef.Name = "default"
	object.Spec.NATS = &v1alpha1.SinkNATS{SubjectPrefix: "clerk"}
	return facts{object: object, now: noon, stream: stream}
}

// toHTTP are facts of a sink that last took an event, and last failed to, so long ago; 0 is never.
func toHTTP(accepted, failed time.Duration, reason string) facts {
	object := &v1alpha1.ClerkSink{ObjectMeta: metav1.ObjectMeta{Name: "audit", Generation: 3}}
	object.Spec.InstanceRef.Name = "default"
	object.Spec.HTTP = &v1alpha1.SinkHTTP{URL: "http://audit"}
	if accepted > 0 {
		object.Status.LastAccepted.ReceivedAt = metav1.NewTime(noon.Add(-accepted))
	}
	if failed > 0 {
		object.Status.LastFailure = v1alpha1.SinkFailure{FailedAt: metav1.NewTime(noon.Add(-failed)), Reason: reason}
	}
	return facts{object: object, now: noon}
}

// filtered is a sink whose expression last failed so long ago, for a generation.
func filtered(ago time.Duration, generation int64) facts {
	f := toHTTP(0, 0, "")
	f.object.Spec.Filter.Expression = "event.data.x"
	if ago > 0 {
		f.object.Status.LastFilterFailure = v1alpha1.SinkFilterFailure{
			FailedAt: metav1.NewTime(noon.Add(-ago)), Generation: generation, Type: "user.created", Message: "no such key",
		}
	}
	return f
}

func (f facts) with(change func(*facts)) facts {
	change(&f)
	return f
}

func TestConditionsOfASink(t *testing.T) {
	secret := &sink.ProblemError{Reason: v1alpha1.ReasonSecretNotFound, Message: "create it"}
	for name, test := range map[string]struct {
		facts facts
		want  string // type=status/reason, in order
		says  string
	}{
		"new":                      {toHTTP(0, 0, ""), "Ready=True/Ready", "/webhooks/default/sinks/audit"},
		"taken":                    {toHTTP(time.Minute, 0, ""), "Ready=True/Ready", ""},
		"failed, then taken":       {toHTTP(time.Minute, time.Hour, "http_500"), "Ready=True/Ready", ""},
		"taken, then failed":       {toHTTP(time.Hour, time.Minute, "http_500"), "Ready=False/TargetUnavailable", "http_500"},
		"never taken":              {toHTTP(0, time.Minute, "timeout"), "Ready=False/TargetUnavailable", "5 days"},
		"refused":                  {toHTTP(time.Hour, time.Minute, "http_401"), "Ready=False/TargetRejects", "replay"},
		"a problem":                {toHTTP(time.Minute, 0, "").with(func(f *facts) { f.problem = secret }), "Ready=False/SecretNotFound Stalled=True/SecretNotFound", "create it"},
		"a problem beside failing": {toHTTP(0, time.Minute, "timeout").with(func(f *facts) { f.problem = secret }), "Ready=False/SecretNotFound Stalled=True/SecretNotFound", ""},

		"a filter":               {filtered(0, 0), "Ready=True/Ready Filtering=True/Filtered", ""},
		"a filter that failed":   {filtered(time.Hour, 3), "Ready=True/Ready Filtering=False/FilterFailed", "user.created: no such key"},
		"one that was corrected": {filtered(time.Hour, 2), "Ready=True/Ready Filtering=True/Filtered", ""},
		"at the last attempt":    {filtered(filterMemory-time.Second, 3), "Ready=True/Ready Filtering=False/FilterFailed", ""},
		"long ago":               {filtered(filterMemory, 3), "Ready=True/Ready Filtering=True/Filtered", ""},

		"a stream":          {toNATS(good(nothing)), "Ready=True/Ready Durable=True/Durable", "sync_interval"},
		"not looked at yet": {toNATS(nil), "Ready=True/Ready Durable=Unknown/StreamUnchecked", ""},
		"may not look":      {toNATS(&natstarget.Stream{Unknown: true}), "Ready=True/Ready Durable=Unknown/StreamUnchecked", "STREAM.INFO"},
		"no stream":         {toNATS(&natstarget.Stream{Missing: true}), "Ready=False/StreamNotFound Stalled=True/StreamNotFound Durable=False/StreamNotFound", "clerk.>"},
		"no ack":            {toNATS(good(func(s *natstarget.Stream) { s.NoAck = true })), "Ready=False/NoAcknowledgement Stalled=True/NoAcknowledgement Durable=False/NoAcknowledgement", "CLERK"},
		"in memory":         {toNATS(good(func(s *natstarget.Stream) { s.InMemory = true })), "Ready=True/Ready Durable=False/NotSynced", "file storage"},
		"asynchronous":      {toNATS(good(func(s *natstarget.Stream) { s.Asynchronous = true })), "Ready=True/Ready Durable=False/NotSynced", ""},
		"a short window":    {toNATS(good(func(s *natstarget.Stream) { s.Window -= time.Second })), "Ready=True/Ready Durable=False/WindowTooShort", "28h"},
		"two replicas":      {toNATS(good(func(s *natstarget.Stream) { s.Replicas = 2 })), "Ready=True/Ready Durable=False/NotReplicated", "2 replica(s)"},
		"away":              {toNATS(nil).with(func(f *facts) { f.unreachable = "connection" }), "Ready=False/TargetUnavailable Durable=Unknown/StreamUnchecked", "(connection)"},
		"the worst first":   {toNATS(good(func(s *natstarget.Stream) { s.InMemory, s.Window, s.Replicas = true, 0, 1 })), "Ready=True/Ready Durable=False/NotSynced", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var have, messages []string
			for _, condition := range test.facts.conditions() {
				have = append(have, condition.Type+"="+string(condition.Status)+"/"+condition.Reason)
				messages = append(messages, condition.Message)
				if condition.ObservedGeneration != 3 {
					t.Errorf("%s is of generation %d", condition.Type, condition.ObservedGeneration)
				}
			}
			if strings.Join(have, " ") != test.want {
				t.Errorf("got %v, want %s", have, test.want)
			}
			if all := strings.Join(messages, "\n"); !strings.Contains(all, test.says) {
				t.Errorf("nothing says %q: %s", test.says, all)
			}
		})
	}
}

func TestAConditionThatSaysTheSameKeepsItsTimeAndOneThatIsOverGoes(t *testing.T) {
	broken := toNATS(&natstarget.Stream{Missing: true})
	before := broken.conditions()
	for i := range before {
		before[i].LastTransitionTime = metav1.NewTime(noon.Add(-time.Hour))
	}
	broken.object.Status.Conditions = before
	ready := meta.FindStatusCondition(broken.conditions(), v1alpha1.ConditionReady)
	if !ready.LastTransitionTime.Time.Equal(noon.Add(-time.Hour)) {
		t.Errorf("its transition is at %s", ready.LastTransitionTime)
	}
	broken.stream = good(nothing)
	if after := broken.conditions(); meta.FindStatusCondition(after, v1alpha1.ConditionStalled) != nil || !meta.IsStatusConditionTrue(after, v1alpha1.ConditionReady) {
		t.Errorf("it is mended, and says %+v", after)
	}
}
