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
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/clerk-operator/clerk-operator/internal/examples"
)

// sendOptions are the flags of send.
type sendOptions struct {
	instance, url, secretFile, file, messageID, operatorNamespace string

	subject           examples.Subject
	yes, dryRun, list bool
}

func (p *plugin) sendCommand() *cobra.Command {
	var options sendOptions
	command := &cobra.Command{
		Use:   "send TYPE --instance INSTANCE",
		Short: "Play Clerk: sign an event and deliver it",
		Long: "Play Clerk: sign an event and deliver it to a ClerkInstance, which takes it for Clerk's. It really gives access, and takes\n" +
			"it away; what is deleted by it does not come back. So the ClerkInstance is named, and you are asked before it is sent.\n\n" +
			"TYPE is a type of event, of which there is an example (--list), with the organization, user and role of the flags: Clerk's ids, or\n" +
			"names that stand for one. --file sends any other. The signing secret is read from --secret-file, or from\n" +
			"$" + secretVariable + ", or from the ClerkInstance's Secret, with your own rights. The delivery goes through a forwarded port\n" +
			"to the operator's Service, or to --url.\n\n" +
			"Exit code: 0 it was accepted, 2 it was refused, 1 it could not be sent.",
		Example: "  kubectl clerk send --list\n" +
			"  kubectl clerk send organization.created --instance default --organization acme\n" +
			"  kubectl clerk send organizationMembership.created --instance default --organization acme --user jane --role org:admin\n" +
			"  kubectl clerk send user.updated --instance default --user jane --banned --dry-run",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return p.send(command.Context(), args, &options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.instance, "instance", "", "The ClerkInstance that is to hear it. There is no default.")
	flags.StringVar(&options.url, "url", "", "Where to deliver, such as https://HOST/webhooks/INSTANCE; by default the operator's Service.")
	flags.StringVar(&options.secretFile, "secret-file", "", "A file with the signing secret (whsec_…) of the endpoint.")
	flags.StringVar(&options.file, "file", "", "A file with the event's JSON, - for standard input; in place of TYPE.")
	flags.StringVar(&options.messageID, "message-id", "", "The id of the message, the same for every attempt of it; by default a new one.")
	flags.StringVar(&options.subject.Organization, "organization", "acme", "The organization.")
	flags.StringVar(&options.subject.Slug, "slug", "", "Its slug; by default its name.")
	flags.StringVar(&options.subject.User, "user", "jane", "The user.")
	flags.StringVar(&options.subject.Email, "email", "", "The user's e-mail address; by default one of example.com.")
	flags.StringVar(&options.subject.Role, "role", "org:member", "The role of the member, or the role that changes.")
	flags.StringSliceVar(&options.subject.Permissions, "permission", nil, "The permissions of the membership or the role: org:cargo:load.")
	flags.StringVar(&options.subject.Membership, "membership", "",
		"The membership; by default the one of user and organization. Who joins again does so with another.")
	flags.BoolVar(&options.subject.Banned, "banned", false, "The user is banned.")
	flags.BoolVar(&options.dryRun, "dry-run", false, "Print the request, and send nothing. No secret is read.")
	flags.BoolVarP(&options.yes, "yes", "y", false, "Do not ask.")
	flags.BoolVar(&options.list, "list", false, "List the types of events of which there is an example.")
	flags.StringVar(&options.operatorNamespace, "operator-namespace", "", "The operator's namespace; where its Deployment is, by default.")
	return command
}

func (p *plugin) send(ctx context.Context, args []string, options *sendOptions) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	if options.list {
		return p.print(listTypes())
	}
	found, body, err := p.event(args, options)
	if err != nil {
		return err
	}
	if options.instance == "" {
		return errors.New("name the ClerkInstance that is to hear it: --instance. It takes the event for Clerk's")
	}
	target, err := p.findTarget(ctx, options)
	if err != nil {
		return err
	}
	found.Instance, found.Mode = options.instance, string(target.mode())
	found.To, found.SignedWith = target.describe(), target.signedWith(options)
	found.Effect, found.Final = effectOf(found.EventType, &options.subject)
	if options.file != "" {
		found.Effect = "What the file says: it was not looked into."
	}
	if options.dryRun {
		found.DryRun, found.Request = true, &SendRequest{Method: http.MethodPost, Path: target.path, Body: string(body)}
		return p.print(found)
	}
	if err := p.confirm(found, options.yes); err != nil {
		return err
	}
	header, err := target.sign(ctx, options, found.MessageID, body)
	if err != nil {
		return err
	}
	if err := target.deliver(ctx, found, header, body); err != nil {
		return err
	}
	if !found.Accepted {
		p.code = ExitNo
	}
	return p.print(found)
}

// event is what is to be sent, and what it speaks of.
func (p *plugin) event(args []string, options *sendOptions) (*Send, []byte, error) {
	found := &Send{TypeMeta: view("Send"), MessageID: options.messageID}
	if found.MessageID == "" {
		found.MessageID = examples.RandomID("msg")
	}
	switch {
	case options.file != "" && len(args) > 0:
		return nil, nil, errors.New("--file is the whole event: leave the type out")
	case options.file != "":
		body, err := p.readEvent(options.file)
		if err != nil {
			return nil, nil, err
		}
		found.EventType = typeOf(body)
		return found, body, nil
	case len(args) == 0:
		return nil, nil, errors.New("name the type of the event, such as organization.created: --list shows all; or give a file with --file")
	case !slices.Contains(examples.Types(), args[0]):
		return nil, nil, fmt.Errorf("there is no example of the type %q: --list shows all; send any other with --file", args[0])
	}
	event, err := examples.Make(args[0], &options.subject, p.Now())
	if err != nil {
		return nil, nil, err
	}
	found.EventType, found.About = event.Type, event.About
	return found, event.Body, nil
}

// maxEvent bounds what is read of a file, in bytes: more than the receiver takes.
const maxEvent = 2 << 20

func (p *plugin) readEvent(file string) ([]byte, error) {
	in := p.Streams.In
	if file != "-" {
		opened, err := os.Open(file) //nolint:gosec // the caller names it, and reads it with their own rights
		if err != nil {
			return nil, err
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	body, err := io.ReadAll(io.LimitReader(in, maxEvent+1))
	if err == nil && len(body) > maxEvent {
		err = fmt.Errorf("%s is longer than %d bytes, which is more than is accepted", file, maxEvent)
	}
	return body, err
}

// confirm says what is about to happen, and asks whether it may.
func (p *plugin) confirm(found *Send, agreed bool) error {
	out := &page{colored: p.colored(p.Streams.ErrOut), now: p.Now()}
	found.announce(out)
	_, _ = io.WriteString(p.Streams.ErrOut, out.String())
	if agreed {
		return nil
	}
	if file, ok := p.Streams.In.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return errors.New("nobody is there to be asked, so nothing was sent: --yes sends it without asking")
	}
	fmt.Fprintf(p.Streams.ErrOut, "Send it to %s? [y/N] ", clean(found.To))
	var answer string
	_, _ = fmt.Fscanln(p.Streams.In, &answer) // nothing is no
	if answer != "y" && answer != "yes" {
		return errors.New("nothing was sent")
	}
	return nil
}

// effectOf says what an event does to a cluster that hears it, and whether that is final.
func effectOf(eventType string, subject *examples.Subject) (effect string, final bool) {
	entity, change, _ := strings.Cut(eventType, ".")
	deleted := change == "deleted"
	switch entity {
	case "organization":
		if deleted {
			return "Access to it ends, and its namespaces go if its class says so.", true
		}
		return "The organization gets what its TenantClass says.", false
	case "organizationMembership":
		if deleted {
			return "The access that it gave ends.", true
		}
		return strings.Replace("The user gets what the role ROLE means there.", "ROLE ", strings.TrimLeft(subject.Role+" ", " "), 1), false
	case "user":
		if deleted {
			return "All access of the user ends.", true
		}
		if subject.Banned {
			return "The user is banned: all their access ends.", false
		}
		return "The user is let in, if banned before, and named anew.", false
	case "role", "permission":
		return "What it means for all who have it can change.", deleted
	case "organizationDomain":
		return "What depends on the organization's domains can change.", deleted
	}
	return "Nothing: the ClerkInstance acknowledges it.", false
}
