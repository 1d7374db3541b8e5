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

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	svix "github.com/svix/svix-webhooks/go"

	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/signing"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// decodingGoal is what verifying and decoding an event may take.
const decodingGoal = 100 * time.Microsecond

// measureDecoding measures what the receiver does to an event before the API server is asked, by the functions that the receiver calls.
func measureDecoding(_ context.Context, b *bench) error {
	organization := newOrganization("decoding", 1)
	rows := b.report.table("Event", "Bytes", "One core", "Memory", "Goal < 100 µs")
	for _, event := range []clerktest.Event{
		clerktest.OrganizationUpdated(organization), clerktest.MembershipUpdated(newMembership(organization, 0)),
	} {
		perEvent, allocated, err := timeDecoding(event.Body())
		if err != nil {
			return fmt.Errorf("%s: %w", event.Type, err)
		}
		rows.row(event.Type, strconv.Itoa(len(event.Body())), duration(perEvent), fmt.Sprintf("%.1f KiB", float64(allocated)/1024),
			met(perEvent < decodingGoal))
	}
	rows.end()
	return nil
}

func timeDecoding(body []byte) (perEvent time.Duration, allocated int64, err error) {
	const id = "msg_2g7np7Hrk0SN6kj5EDMLDaKNL0S"
	secret := clerktest.NewSecret()
	verifier, problems := signing.Parse(map[string][]byte{"endpoint": []byte(secret)})
	if len(problems) > 0 {
		return 0, 0, errors.New(problems[0].Reason)
	}
	signer, err := svix.NewWebhook(secret)
	if err != nil {
		return 0, 0, err
	}
	now := time.Now()
	signature, err := signer.Sign(id, now, body)
	if err != nil {
		return 0, 0, err
	}
	header := http.Header{"Svix-Id": {id}, "Svix-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Svix-Signature": {signature}}

	understand := func() error {
		attempt, err := signing.ReadAttempt(header)
		if err != nil {
			return err
		}
		if err := verifier.Verify(body, attempt); err != nil {
			return err
		}
		_, err = clerk.Decode(body)
		return err
	}
	if err := understand(); err != nil {
		return 0, 0, err
	}
	result := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			if err := understand(); err != nil {
				b.Fatal(err)
			}
		}
	})
	return time.Duration(result.NsPerOp()), result.AllocedBytesPerOp(), nil
}
