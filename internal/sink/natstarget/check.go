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

package natstarget

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/clerk-operator/clerk-operator/internal/sink/target"
)

// LongestRetry is how late Clerk's sender may still try the same message: its attempts end after 27.6 hours. A duplicate window as long
// tells every one of them from news.
const LongestRetry = 27*time.Hour + 36*time.Minute

// Stream is what is known of the stream that takes the events.
type Stream struct {
	Name string
	// Unknown: the server or the account's permissions do not let it be looked at. Missing: no stream takes the subject.
	Unknown, Missing bool
	// Window is how long a repeat is told from news.
	Window   time.Duration
	Replicas int
	// InMemory and Asynchronous streams acknowledge what is not on a disk yet; one with NoAck acknowledges nothing.
	InMemory, Asynchronous, NoAck bool
}

// Look looks at the stream. A failure says that the server cannot be reached.
func (t *Target) Look(ctx context.Context, instance string) (Stream, *target.FailureError) {
	js, failure := t.connect(ctx)
	if failure != nil {
		return Stream{}, failure
	}
	name := t.options.Stream
	if name == "" {
		found, err := js.StreamNameBySubject(ctx, Subject(t.options.SubjectPrefix, instance, "", "user.created"))
		if err != nil {
			return unseen(err), nil
		}
		name = found
	}
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return unseen(err), nil
	}
	config := stream.CachedInfo().Config
	return Stream{
		Name:         name,
		Window:       config.Duplicates,
		Replicas:     config.Replicas,
		InMemory:     config.Storage == jetstream.MemoryStorage,
		Asynchronous: config.PersistMode == jetstream.AsyncPersistMode,
		NoAck:        config.NoAck,
	}, nil
}

func unseen(err error) Stream {
	missing := errors.Is(err, jetstream.ErrStreamNotFound)
	return Stream{Missing: missing, Unknown: !missing}
}
