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
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/me"
)

const (
	// maxMine bounds what is read of an answer, in bytes: a thousand organizations with some namespaces each.
	maxMine = 4 << 20

	// mineTimeout bounds how long is waited for it.
	mineTimeout = 30 * time.Second
)

// Mine is what the caller has.
type Mine struct {
	me.Mine `json:",inline"`

	// Contexts are the contexts of the kubeconfig that were written.
	Contexts []string `json:"contexts,omitempty"`

	// Notes say what the caller may not see.
	Notes []string `json:"notes,omitempty"`
}

type mineOptions struct {
	url, authority string
	contexts       bool
}

func (p *plugin) mineCommand() *cobra.Command {
	var options mineOptions
	command := &cobra.Command{
		Use:   "mine [--url https://HOST/me]",
		Short: "Show your own organizations, roles and namespaces",
		Long: "Show your own organizations, roles and namespaces, and what ClusterGrants give you in the whole cluster, by the name that\n" +
			"the API server knows you by.\n\n" +
			"With --url it asks the operator, showing it your token: whoever runs it gives you that address. Without, it lists\n" +
			"ClerkMembers, which only those may who look after the cluster.\n\n" +
			"Exit code: 0 you have access somewhere, 2 you have none, 1 it cannot be told.",
		Example: "  kubectl clerk mine --url https://clerk-me.example.com/me --kubeconfig-contexts",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return p.mine(command.Context(), options) },
	}
	command.Flags().StringVar(&options.url, "url", "", "Where the operator answers GET /me.")
	command.Flags().StringVar(&options.authority, "url-certificate-authority", "",
		"A file with the authority (PEM) of that server's certificate; by default those of this machine.")
	command.Flags().BoolVar(&options.contexts, "kubeconfig-contexts", false,
		"Write a context for each namespace into the kubeconfig, named CLUSTER/NAMESPACE, with the cluster and the user of the current one.")
	return command
}

func (p *plugin) mine(ctx context.Context, options mineOptions) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	ask := p.listMine
	if options.url != "" {
		ask = func(ctx context.Context) (*Mine, error) { return p.askMine(ctx, options) }
	}
	found, err := ask(ctx)
	if err != nil {
		return err
	}
	namespaces := found.namespaces()
	if len(namespaces)+len(found.ClusterRoles) == 0 {
		p.code = ExitNo
	}
	if options.contexts {
		if found.Contexts, err = p.writeContexts(namespaces); err != nil {
			return err
		}
	}
	return p.print(found)
}

// askMine asks the operator, which learns the caller's token, and nobody else does.
func (p *plugin) askMine(ctx context.Context, options mineOptions) (*Mine, error) {
	address, err := url.Parse(options.url)
	if err != nil || address.Scheme != "https" || address.Host == "" {
		return nil, fmt.Errorf("--url %q does not begin with https://: your token is shown there", options.url)
	}
	config, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	// What the kubeconfig says of the API server's certificate, and a client certificate, are not for this server.
	config = rest.CopyConfig(config)
	config.Host, config.APIPath, config.Timeout = "https://"+address.Host, "", mineTimeout
	config.TLSClientConfig = rest.TLSClientConfig{CAFile: options.authority}
	config.Impersonate = rest.ImpersonationConfig{}
	shown := &trace{}
	config.Wrap(shown.wrap)
	server, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("read how you sign in: %w", err)
	}
	server.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the token goes nowhere else
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := server.Do(request)
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return nil, fmt.Errorf("ask %s: %w: name the authority of its certificate with --url-certificate-authority", address, unknown)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the operator: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxMine))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", address, err)
	}
	return readMine(address, shown, response.StatusCode, body)
}

func readMine(address *url.URL, shown *trace, status int, body []byte) (*Mine, error) {
	switch {
	case status == http.StatusUnauthorized && shown.token == "":
		return nil, fmt.Errorf("%s knows people by tokens, and your kubeconfig has none for this context: use one that signs in through "+
			"Clerk, with --context", address)
	case status == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s does not know your token%s: sign in again; it may want another audience", address, shown.presented())
	case status != http.StatusOK:
		return nil, fmt.Errorf("%s answers %d %s: is it the address of /me?", address, status, http.StatusText(status))
	}
	var mine me.Mine
	if err := json.Unmarshal(body, &mine); err != nil || mine.Kind != me.Kind {
		return nil, fmt.Errorf("what %s answers is not from clerk-operator: is it the address of /me?", address)
	}
	return &Mine{Mine: mine}, nil
}

// namespaces are those in which the caller has access, in order.
func (found *Mine) namespaces() []string {
	var names []string
	for i := range found.Organizations {
		for _, access := range found.Organizations[i].Access {
			names = append(names, access.Namespace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// writeContexts writes a context for each namespace into the kubeconfig. One that is there and leads elsewhere is not touched.
func (p *plugin) writeContexts(namespaces []string) ([]string, error) {
	loader := p.config.ToRawKubeConfigLoader()
	config, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	name := config.CurrentContext
	if p.config.Context != nil && *p.config.Context != "" {
		name = *p.config.Context
	}
	current := config.Contexts[name]
	if current == nil {
		return nil, errors.New("the kubeconfig has no current context, so there is no cluster and no user for others: name one with --context")
	}
	var written []string
	for _, namespace := range namespaces {
		if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			return nil, fmt.Errorf("%q is no name of a namespace: nothing was written", clean(namespace))
		}
		name := current.Cluster + "/" + namespace
		wanted := &clientcmdapi.Context{Cluster: current.Cluster, AuthInfo: current.AuthInfo, Namespace: namespace}
		if there := config.Contexts[name]; there != nil {
			if there.Cluster != wanted.Cluster || there.AuthInfo != wanted.AuthInfo || there.Namespace != wanted.Namespace {
				return nil, fmt.Errorf("the kubeconfig has another context %s: rename it with kubectl config rename-context; nothing was written", name)
			}
		} else {
			config.Contexts[name] = wanted
		}
		written = append(written, name)
	}
	if err := clientcmd.ModifyConfig(loader.ConfigAccess(), config, true); err != nil {
		return nil, fmt.Errorf("write the kubeconfig: %w", err)
	}
	return written, nil
}

func (found *Mine) names() []string {
	names := make([]string, 0, len(found.Organizations))
	for _, namespace := range found.namespaces() {
		names = append(names, "namespace/"+namespace)
	}
	return names
}

func (found *Mine) text(out *page) {
	out.line("You are %s, a member of %s", out.in(bold, found.User), counted(len(found.Organizations), "organization", "organizations"))
	if len(found.Organizations) > 0 {
		titles := []string{"ORGANIZATION", "ROLE", "ACCESS"}
		if out.wide {
			titles = append(titles, "ID")
		}
		rows := make([][]cell, len(found.Organizations))
		for i := range found.Organizations {
			rows[i] = mineRow(&found.Organizations[i], out.wide)
		}
		out.table("", titles, rows)
	}
	found.clusterRolesText(out)
	if found.Incomplete {
		out.line("and more, which are not told")
	}
	notesText(out, found.Notes)
	if len(found.Contexts) > 0 {
		out.line("\nContexts in the kubeconfig: %s", strings.Join(found.Contexts, ", "))
		out.line("%s", out.in(dim, "kubectl config use-context "+found.Contexts[0]))
	}
}

func mineRow(organization *me.Organization, wide bool) []cell {
	bindings := make([]v1alpha1.MemberBinding, len(organization.Access))
	for i, access := range organization.Access {
		bindings[i] = v1alpha1.MemberBinding{Namespace: access.Namespace, ClusterRole: access.ClusterRole}
	}
	access := cell{text: accessText(bindings, false), look: green}
	if len(bindings) == 0 {
		access = cell{text: strings.TrimSuffix("none: "+organization.Reason, ": "), look: red}
	}
	row := []cell{{text: organization.Organization, look: bold}, {text: organization.Role}, access}
	if wide {
		row = append(row, cell{text: organization.OrganizationID})
	}
	return row
}
