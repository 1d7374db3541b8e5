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

// Command send plays Clerk: it signs an event and delivers it to a ClerkInstance's endpoint, such as the one of "make run".
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/clerk-operator/clerk-operator/test/clerktest"
)

// urlVariable and secretVariable hold the endpoint's URL and signing secret where --url and --secret are not given.
const (
	urlVariable    = "CLERK_WEBHOOK_URL"
	secretVariable = "CLERK_SIGNING_SECRET"
)

// defaultURL is where "make run" receives.
const defaultURL = "http://127.0.0.1:8090/webhooks/default"

const introduction = `Signs an event as Clerk does and delivers it. Either one that is made up:

  go run ./hack/send --type organization.created --organization acme
  go run ./hack/send --type organizationMembership.created --organization acme --user jane --role org:admin

  go run ./hack/send --type user.updated --user jane --banned

(the same names always give the same ids), or any other, from a file: --file event.json. The same with curl and openssl:

  id=msg_$RANDOM; now=$(date +%s); key=$(printf %s "${CLERK_SIGNING_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
  signature=$(printf '%s.%s.%s' $id $now "$(cat event.json)" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64)
  curl -i -H "svix-id: $id" -H "svix-timestamp: $now" -H "svix-signature: v1,$signature" \
    --data-binary "$(cat event.json)" $CLERK_WEBHOOK_URL

Options:
`

// settings are the flags.
type settings struct {
	url, secret, id, eventType, file       string
	organization, slug, user, role, member string
	banned, show                           bool
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "send:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	s := parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: every setting is a flag, see --help", flag.Arg(0))
	}
	body, about, err := s.body()
	if err != nil {
		return err
	}
	if s.show {
		fmt.Println(string(body))
		return nil
	}
	if s.secret == "" {
		return errors.New("no signing secret: give --secret, or set " + secretVariable)
	}
	status, answer, err := clerktest.Sender{URL: s.url, Secret: s.secret}.Send(ctx, clerktest.Delivery{ID: s.id, Body: body})
	if err != nil {
		return err
	}
	fmt.Print(about)
	fmt.Println(strings.TrimSpace(fmt.Sprintf("%d %s %s", status, http.StatusText(status), answer)))
	if status >= http.StatusMultipleChoices {
		return errors.New("the delivery was not accepted")
	}
	return nil
}

func parse() *settings {
	var s settings
	flag.StringVar(&s.url, "url", "", "where to deliver; by default $"+urlVariable+", or else "+defaultURL)
	flag.StringVar(&s.secret, "secret", "", "signing secret of the endpoint (whsec_…); by default $"+secretVariable)
	flag.StringVar(&s.id, "id", "", "id of the message, the same for every attempt and replay of it; by default a new one")
	flag.StringVar(&s.file, "file", "", "file with the event's JSON, - for standard input; instead of all that follows")
	flag.StringVar(&s.eventType, "type", clerktest.TypeOrganizationCreated, "type of the event: "+strings.Join(types(), ", "))
	flag.StringVar(&s.organization, "organization", "acme", "organization: its id (org_…) or a name that stands for one")
	flag.StringVar(&s.slug, "slug", "", "slug of the organization; by default its name")
	flag.StringVar(&s.user, "user", "jane", "user: its id (user_…) or a name that stands for one")
	flag.StringVar(&s.role, "role", "org:member", "role of the member")
	flag.StringVar(&s.member, "membership", "", "membership: its id (orgmem_…) or a name that stands for one; "+
		"by default the one of user and organization. Who joins again does so with another")
	flag.BoolVar(&s.banned, "banned", false, "the user is banned")
	flag.BoolVar(&s.show, "print", false, "print the event's JSON instead of delivering it")
	flag.Usage = func() {
		_, _ = io.WriteString(flag.CommandLine.Output(), introduction)
		flag.PrintDefaults()
	}
	flag.Parse()
	s.url = cmp.Or(s.url, os.Getenv(urlVariable), defaultURL)
	s.secret = cmp.Or(s.secret, os.Getenv(secretVariable))
	s.id = cmp.Or(s.id, clerktest.RandomID("msg"))
	s.slug = cmp.Or(s.slug, strings.ToLower(strings.ReplaceAll(s.organization, "_", "-")))
	s.member = cmp.Or(s.member, s.user+" in "+s.organization)
	return &s
}

// body is what is delivered, and what a person wants to know of it.
func (s *settings) body() (body []byte, about string, err error) {
	switch s.file {
	case "":
		return s.made()
	case "-":
		body, err = io.ReadAll(os.Stdin)
	default:
		body, err = os.ReadFile(s.file)
	}
	return body, "", err
}

// maker makes an event that happens now.
type maker func(o clerktest.Organization, m clerktest.Membership, now time.Time) clerktest.Event

var makers = map[string]maker{
	clerktest.TypeOrganizationCreated: func(o clerktest.Organization, _ clerktest.Membership, _ time.Time) clerktest.Event {
		return clerktest.OrganizationCreated(o)
	},
	clerktest.TypeOrganizationUpdated: func(o clerktest.Organization, _ clerktest.Membership, _ time.Time) clerktest.Event {
		return clerktest.OrganizationUpdated(o)
	},
	clerktest.TypeOrganizationDeleted: func(o clerktest.Organization, _ clerktest.Membership, now time.Time) clerktest.Event {
		return clerktest.OrganizationDeleted(o, now)
	},
	clerktest.TypeMembershipCreated: func(_ clerktest.Organization, m clerktest.Membership, _ time.Time) clerktest.Event {
		return clerktest.MembershipCreated(m)
	},
	clerktest.TypeMembershipUpdated: func(_ clerktest.Organization, m clerktest.Membership, _ time.Time) clerktest.Event {
		return clerktest.MembershipUpdated(m)
	},
	clerktest.TypeMembershipDeleted: func(_ clerktest.Organization, m clerktest.Membership, now time.Time) clerktest.Event {
		return clerktest.MembershipDeleted(m, now)
	},
	clerktest.TypeUserCreated: func(_ clerktest.Organization, m clerktest.Membership, _ time.Time) clerktest.Event {
		return clerktest.UserCreated(m.User)
	},
	clerktest.TypeUserUpdated: func(_ clerktest.Organization, m clerktest.Membership, _ time.Time) clerktest.Event {
		return clerktest.UserUpdated(m.User)
	},
	clerktest.TypeUserDeleted: func(_ clerktest.Organization, m clerktest.Membership, now time.Time) clerktest.Event {
		return clerktest.UserDeleted(m.User, now)
	},
}

func types() []string {
	return []string{
		clerktest.TypeOrganizationCreated, clerktest.TypeOrganizationUpdated, clerktest.TypeOrganizationDeleted,
		clerktest.TypeMembershipCreated, clerktest.TypeMembershipUpdated, clerktest.TypeMembershipDeleted,
		clerktest.TypeUserCreated, clerktest.TypeUserUpdated, clerktest.TypeUserDeleted,
	}
}

func (s *settings) made() (body []byte, about string, err error) {
	if !slices.Contains(types(), s.eventType) {
		return nil, "", fmt.Errorf("cannot make up an event of the type %q: it can be %s; send any other with --file",
			s.eventType, strings.Join(types(), ", "))
	}
	now := time.Now()
	organization := clerktest.Organization{
		ID: id("org", s.organization), Name: s.organization, Slug: s.slug, CreatedAt: now, UpdatedAt: now,
	}
	membership := s.membership(organization, now)
	event := makers[s.eventType](organization, membership, now)
	about = event.Type + "\n"
	if strings.HasPrefix(event.Type, "organization") {
		about += fmt.Sprintf("  organization  %s\n", organization.ID)
	}
	if strings.HasPrefix(event.Type, "organizationMembership.") {
		about += fmt.Sprintf("  membership    %s\n", membership.ID)
	}
	if !strings.HasPrefix(event.Type, "organization.") {
		about += fmt.Sprintf("  user          %s\n", membership.User.ID)
	}
	return event.Body(), about, nil
}

// membership is a membership of the organization as that was an hour ago: enough to create it, too old to change it.
func (s *settings) membership(organization clerktest.Organization, now time.Time) clerktest.Membership {
	organization.UpdatedAt = now.Add(-time.Hour)
	organization.CreatedAt = organization.UpdatedAt
	return clerktest.Membership{
		ID:           id("orgmem", s.member),
		Role:         s.role,
		Organization: organization,
		User: clerktest.User{
			ID: id("user", s.user), Identifier: s.user + "@example.com", FirstName: s.user, Email: s.user + "@example.com", Banned: s.banned,
			UpdatedAt: now,
		},
		UpdatedAt: now,
	}
}

// id is the id itself, or the one that a name stands for.
func id(prefix, name string) string {
	if strings.HasPrefix(name, prefix+"_") {
		return name
	}
	return clerktest.ID(prefix, name)
}
