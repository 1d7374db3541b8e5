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
	"bufio"
	"errors"
	"io"
	"strings"
	"time"
)

// maxLogLine bounds a line of a log, in bytes. The operator's have some hundred; what is longer is cut.
const maxLogLine = 64 << 10

// position is how far a log has been read: up to a time, and of the lines of that very time how many.
type position struct {
	at    time.Time
	count int
}

// pass goes on by a line of a time.
func (p *position) pass(at time.Time) {
	switch {
	case at.After(p.at):
		p.at, p.count = at, 1
	case at.Equal(p.at):
		p.count++
	}
}

// logLines is a log that is read line by line.
type logLines struct {
	pod    string
	reader *bufio.Reader

	// at is the time of the line that was read last, and text what it says.
	at   time.Time
	text string

	// read is how far the log has been read. err is why there is no further line.
	read position
	err  error
}

func newLogLines(pod string, stream io.Reader) *logLines {
	return &logLines{pod: pod, reader: bufio.NewReaderSize(stream, maxLogLine)}
}

// next reads a line; false if there is none.
func (l *logLines) next() bool {
	if l.err != nil {
		return false
	}
	line, err := l.reader.ReadSlice('\n')
	text := string(line)
	for cut := false; errors.Is(err, bufio.ErrBufferFull); _, err = l.reader.ReadSlice('\n') {
		if !cut {
			text, cut = text+"…", true
		}
	}
	l.err = err
	if text == "" {
		return false
	}
	l.text = strings.TrimRight(text, "\r\n")
	if at, rest, found := strings.Cut(l.text, " "); found {
		if seen, err := time.Parse(time.RFC3339Nano, at); err == nil {
			l.at, l.text = seen, rest
			l.read.pass(seen)
		}
	}
	return true
}

// isAfter tells whether the last line is none of those that were read before: a log can be asked for from a whole second on only.
func (l *logLines) isAfter(read position) bool {
	switch {
	case l.at.Before(read.at):
		return false
	case l.at.Equal(read.at):
		return l.read.count > read.count
	}
	return true
}

// merge tells the lines of several logs that end, in the order of time. It holds a line of each.
func merge(logs []*logLines, tell func(*logLines) error) error {
	var ahead []*logLines
	for _, log := range logs {
		if log.next() {
			ahead = append(ahead, log)
		}
	}
	for len(ahead) > 0 {
		oldest := 0
		for i := range ahead {
			if ahead[i].at.Before(ahead[oldest].at) {
				oldest = i
			}
		}
		if err := tell(ahead[oldest]); err != nil {
			return err
		}
		if !ahead[oldest].next() {
			ahead = append(ahead[:oldest], ahead[oldest+1:]...)
		}
	}
	return nil
}

// cleanLine cleans a line, and leaves tabs, by which stack traces and the log's form for people divide.
func cleanLine(line string) string {
	parts := strings.Split(line, "\t")
	for i := range parts {
		parts[i] = clean(parts[i])
	}
	return strings.Join(parts, "\t")
}
