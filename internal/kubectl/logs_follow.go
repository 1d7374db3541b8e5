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
	"errors"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// followed is what comes of a log that is followed: a line, or its end.
type followed struct {
	pod  string
	line *logLines

	// ended: there is no line; read is how far the log was read, and err why it ended, if it is not that the container did.
	ended bool
	read  position
	err   error
}

// follow prints what comes, as it comes, until ctx is done. One line is held of each log: who prints slowly has the others wait.
func (l *logs) follow(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	events := make(chan followed)
	open := map[string]bool{}
	ticker := time.NewTicker(podInterval)
	defer ticker.Stop()
	for {
		if err := l.followNew(ctx, open, events); err != nil {
			return err
		}
		if err := l.printUntil(ctx, ticker.C, open, events); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// followNew follows the logs of pods that are not followed yet.
func (l *logs) followNew(ctx context.Context, open map[string]bool, events chan<- followed) error {
	pods, err := l.operator.pods(ctx, toReadLogs)
	if err != nil {
		if ctx.Err() == nil {
			l.tell("", err) // the API server may be away for a moment
		}
		return nil
	}
	there := map[string]bool{}
	for i := range pods {
		there[pods[i].Name] = true
		if !open[pods[i].Name] {
			open[pods[i].Name] = true
			go l.followOne(ctx, &pods[i], l.read[pods[i].Name], l.next(pods[i].Name), events)
		}
	}
	for pod := range l.read {
		if !there[pod] && !open[pod] {
			delete(l.read, pod) // pods come and go for as long as this runs
			delete(l.told, pod)
		}
	}
	return nil
}

// followOne hands on the lines of a log, after what was read of it before.
func (l *logs) followOne(ctx context.Context, pod *corev1.Pod, read position, options *corev1.PodLogOptions, events chan<- followed) {
	end := followed{pod: pod.Name, ended: true, read: read}
	defer func() {
		select {
		case events <- end:
		case <-ctx.Done():
		}
	}()
	stream, err := l.open(ctx, pod, options)
	if err != nil {
		end.err = err
		return
	}
	defer func() { _ = stream.Close() }()
	lines := newLogLines(pod.Name, stream)
	for lines.next() {
		if !lines.isAfter(read) {
			continue
		}
		line := *lines
		select {
		case events <- followed{pod: pod.Name, line: &line}:
			end.read = lines.read
		case <-ctx.Done():
			return
		}
	}
	if !errors.Is(lines.err, io.EOF) {
		end.err = lines.err
	}
}

// printUntil prints what comes until it is time to look for other pods.
func (l *logs) printUntil(ctx context.Context, until <-chan time.Time, open map[string]bool, events <-chan followed) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-until:
			return nil
		case event := <-events:
			if !event.ended {
				delete(l.told, event.pod)
				if err := l.print(l.Streams.Out, event.line); err != nil {
					return err
				}
				continue
			}
			open[event.pod], l.read[event.pod] = false, event.read
			switch {
			case apierrors.IsForbidden(event.err):
				return l.explain(event.pod, event.err)
			case apierrors.IsNotFound(event.err): // it is gone
			case event.err != nil:
				l.tell(event.pod, l.explain(event.pod, event.err))
			}
		}
	}
}
