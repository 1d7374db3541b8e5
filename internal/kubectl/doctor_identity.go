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
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// userID ends a name that an API server makes of Clerk's claim sub.
var userID = regexp.MustCompile(`user_[0-9A-Za-z]{3,60}$`)

// checkIdentity compares the names that the API server gives with those that the operator binds, as far as can be seen from here: by the
// caller's own name, and by the flags of an API server that runs as a pod.
func (d *doctor) checkIdentity(ctx context.Context) error {
	if d.instances == nil || len(d.instances.Items) == 0 {
		return nil // checkSecrets says so
	}
	var review authenticationv1.SelfSubjectReview
	if err := d.cluster.Create(ctx, &review); err != nil {
		return fmt.Errorf("ask the API server who you are: %w", err)
	}
	name := review.Status.UserInfo.Username
	server, err := d.serverFlags(ctx)
	if err != nil {
		return err
	}
	switch {
	case userID.MatchString(name):
		d.compareName(name)
	case server.issuer != "":
		d.comparePrefix(server)
	case server.configuration != "":
		d.unknown(checkIdentity, fmt.Sprintf(
			"the API server reads who people are from %s on its own disk; you are %s, which is no name of Clerk's",
			server.configuration, name), "compare claimMappings.username there with spec.username of the ClerkInstance: docs/oidc.md; or run "+
			"this with a token of Clerk")
	default:
		d.unknown(checkIdentity, fmt.Sprintf(
			"you are %s, which is no name of Clerk's, so the names that the API server gives cannot be seen", name),
			"run this as somebody who signs in through Clerk (docs/oidc.md), or compare the API server's configuration with spec.username "+
				"of the ClerkInstance")
	}
	return nil
}

// prefixOf is what stands before the user's id in the names that a ClerkInstance gives; false if these are made otherwise.
func prefixOf(instance *v1alpha1.ClerkInstance) (string, bool) {
	return strings.CutSuffix(cmp.Or(instance.Spec.Username, "clerk:${user.id}"), "${user.id}")
}

// compareName compares the caller's own name, which the API server made of a token of Clerk.
func (d *doctor) compareName(name string) {
	prefix := strings.TrimSuffix(name, userID.FindString(name))
	var others []string
	for i := range d.instances.Items {
		instance := &d.instances.Items[i]
		if wanted, plain := prefixOf(instance); plain && wanted == prefix {
			d.passed(checkIdentity, "the API server calls you %s, as ClerkInstance %s does%s", name, instance.Name, d.trace.presented())
			return
		}
		others = append(others, fmt.Sprintf("%s (ClerkInstance %s)", instance.Spec.Username, instance.Name))
	}
	d.wrong(checkIdentity, "", fmt.Sprintf("the API server calls you %s, and the operator binds %s: your RoleBindings name somebody else%s",
		name, strings.Join(others, ", "), d.trace.presented()), fmt.Sprintf("set spec.username of the ClerkInstance to '%s${user.id}', or the "+
		"prefix of the API server to the one there", prefix))
}

// comparePrefix compares the flags of the API server.
func (d *doctor) comparePrefix(server serverFlags) {
	from := fmt.Sprintf("the API server takes tokens of %s for %s", server.issuer, server.clientID)
	if server.claim != "sub" {
		d.unknown(checkIdentity, fmt.Sprintf("%s, and names people by the claim %s", from, server.claim),
			"spec.username of the ClerkInstance has to give the same name: docs/oidc.md")
		return
	}
	for i := range d.instances.Items {
		if wanted, plain := prefixOf(&d.instances.Items[i]); plain && wanted == server.prefix {
			d.passed(checkIdentity, "%s, and names people as ClerkInstance %s does: %s<sub>", from, d.instances.Items[i].Name, server.prefix)
			return
		}
	}
	d.wrong(checkIdentity, reference("clerkinstance", d.instances.Items[0].Name), fmt.Sprintf(
		"%s, and names people %s<sub>; ClerkInstance %s binds %s",
		from, server.prefix, d.instances.Items[0].Name, d.instances.Items[0].Spec.Username),
		fmt.Sprintf("start the API server with --oidc-username-prefix, or set spec.username to '%s${user.id}'", server.prefix))
}

// serverFlags are the flags of an API server by which it knows people.
type serverFlags struct{ issuer, clientID, claim, prefix, configuration string }

// serverFlags are those of an API server that runs as a pod of its own cluster, as kubeadm has it; none where it does not.
func (d *doctor) serverFlags(ctx context.Context) (serverFlags, error) {
	var pods corev1.PodList
	err := d.cluster.List(ctx, &pods, client.InNamespace("kube-system"), client.MatchingLabels{"component": "kube-apiserver"})
	if apierrors.IsForbidden(err) || err == nil && len(pods.Items) == 0 {
		return serverFlags{}, nil
	}
	if err != nil {
		return serverFlags{}, fmt.Errorf("look for the API server's pods: %w", err)
	}
	return readServerFlags(&pods.Items[0]), nil
}

func readServerFlags(pod *corev1.Pod) serverFlags {
	set := map[string]string{}
	for i := range pod.Spec.Containers {
		container := &pod.Spec.Containers[i]
		for _, argument := range slices.Concat(container.Command, container.Args) {
			if name, value, found := strings.Cut(argument, "="); found {
				set[strings.TrimLeft(name, "-")] = value
			}
		}
	}
	flags := serverFlags{
		issuer: set["oidc-issuer-url"], clientID: set["oidc-client-id"], claim: cmp.Or(set["oidc-username-claim"], "sub"),
		prefix: set["oidc-username-prefix"], configuration: set["authentication-config"],
	}
	switch {
	case flags.prefix == "-":
		flags.prefix = ""
	case flags.prefix == "" && flags.claim != "email":
		flags.prefix = flags.issuer + "#" // what the API server puts there by itself
	}
	return flags
}
