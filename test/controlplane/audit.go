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

package controlplane

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// auditPolicy logs every request without its body. The first of its stages is left out, since it says nothing that the others do not.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// AuditEvent is one request to the API server.
type AuditEvent struct {
	Time        time.Time
	User        string
	UserAgent   string
	Verb        string // get, list, watch, create, update, patch, delete, deletecollection
	Group       string // of the resource; empty for the core group
	Resource    string // plural; empty where the request is not about a resource, as for /readyz
	Subresource string // for example status
	Namespace   string
	Name        string
	Code        int // HTTP status; of a watch: 200 since it began
}

// auditLine is what AuditEvents reads of a line of the log; the fields are those of audit.k8s.io/v1.
type auditLine struct {
	AuditID                  string    `json:"auditID"`
	Verb                     string    `json:"verb"`
	UserAgent                string    `json:"userAgent"`
	RequestReceivedTimestamp time.Time `json:"requestReceivedTimestamp"`
	User                     struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		APIGroup    string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// AuditEvents returns the requests that the API server has logged so far, each once, oldest first. It needs Options.AuditLog.
// A request is logged when it has been answered, so that of a moment ago may still be missing.
func (cp *ControlPlane) AuditEvents() ([]AuditEvent, error) {
	if cp.options.AuditLog == "" {
		return nil, errors.New("nothing is audited: set Options.AuditLog")
	}
	file, err := os.Open(cp.options.AuditLog)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	events, err := readAudit(file)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	return events, nil
}

func readAudit(log io.Reader) ([]AuditEvent, error) {
	var events []AuditEvent
	seen := map[string]bool{} // A watch is logged when it begins and when it ends.
	for decoder := json.NewDecoder(log); ; {
		var line auditLine
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // The latter: the last line is being written.
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		if seen[line.AuditID] {
			continue
		}
		seen[line.AuditID] = true
		events = append(events, line.event())
	}
}

func (l auditLine) event() AuditEvent {
	return AuditEvent{
		Time:        l.RequestReceivedTimestamp,
		User:        l.User.Username,
		UserAgent:   l.UserAgent,
		Verb:        l.Verb,
		Group:       l.ObjectRef.APIGroup,
		Resource:    l.ObjectRef.Resource,
		Subresource: l.ObjectRef.Subresource,
		Namespace:   l.ObjectRef.Namespace,
		Name:        l.ObjectRef.Name,
		Code:        l.ResponseStatus.Code,
	}
}

// prepareAudit makes the paths absolute, since the API server runs elsewhere, and writes the default policy where it is used.
func (cp *ControlPlane) prepareAudit() error {
	if cp.options.AuditLog == "" {
		return nil
	}
	log, err := filepath.Abs(cp.options.AuditLog)
	if err != nil {
		return err
	}
	cp.options.AuditLog = log
	if cp.options.AuditPolicy == "" {
		cp.options.AuditPolicy = filepath.Join(cp.work.path, "audit-policy.yaml")
		return os.WriteFile(cp.options.AuditPolicy, []byte(auditPolicy), 0o600)
	}
	cp.options.AuditPolicy, err = filepath.Abs(cp.options.AuditPolicy)
	return err
}

func (cp *ControlPlane) auditArgs() []string {
	if cp.options.AuditLog == "" {
		return nil
	}
	return []string{
		"--audit-log-path=" + cp.options.AuditLog,
		"--audit-policy-file=" + cp.options.AuditPolicy,
		"--audit-log-maxsize=0", // One file, however long: AuditEvents reads no rotated ones.
	}
}
