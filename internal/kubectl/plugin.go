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
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Exit codes of every command.
const (
	// ExitYes: done; who was asked about has access; nothing would change.
	ExitYes = 0

	// ExitError: the question could not be answered.
	ExitError = 1

	// ExitNo: no access; something would change; something is not well. Each command says which.
	ExitNo = 2
)

// Requests per second, as kubectl has them: a few lists and one review for each grant.
const (
	requestsPerSecond = 50
	requestsAtOnce    = 300
)

// Options are what the plugin gets from outside.
type Options struct {
	Streams genericiooptions.IOStreams

	// Now is the time by which ages are told.
	Now func() time.Time

	// Version is the plugin's.
	Version string
}

// plugin is one call of kubectl-clerk.
type plugin struct {
	Options

	config *genericclioptions.ConfigFlags
	output string
	color  string

	// code is the exit code of a command that ended without an error.
	code int
}

var scheme = newScheme()

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// Main runs the plugin with its arguments and returns its exit code.
func Main(ctx context.Context, options Options, args ...string) int {
	p := &plugin{Options: options, config: newConfig()}
	command := p.command()
	command.SetArgs(args)
	command.SetIn(options.Streams.In)
	command.SetOut(options.Streams.Out)
	command.SetErr(options.Streams.ErrOut)
	if err := command.ExecuteContext(ctx); err != nil {
		for _, line := range lines(err) {
			fmt.Fprintln(options.Streams.ErrOut, "error:", clean(line))
		}
		return ExitError
	}
	return p.code
}

// newConfig is kubectl's own flags.
func newConfig() *genericclioptions.ConfigFlags {
	config := genericclioptions.NewConfigFlags(true)
	config.CacheDir = nil // nothing is discovered
	return config
}

// lines are the errors that were joined to one.
func lines(err error) []string {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []string{err.Error()}
	}
	var all []string
	for _, one := range joined.Unwrap() {
		all = append(all, lines(one)...)
	}
	return all
}

func (p *plugin) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-clerk",
		Short: "Ask the cluster who has access through Clerk, why, and what an edit would do",
		Long: "Ask the cluster who has access through Clerk, why, and what an edit would do.\n\n" +
			"It acts with your own rights, and decides by the operator's own code.",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl clerk"},
		Version:       p.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	p.config.AddFlags(root.PersistentFlags())
	root.PersistentFlags().StringVarP(&p.output, "output", "o", "", "How to print: json, yaml, name or wide; for people by default.")
	root.PersistentFlags().StringVar(&p.color, "color", "auto", "Whether to color: auto (on a terminal), always or never.")
	root.AddCommand(
		p.whyCommand(), p.whoCommand(), p.treeCommand(), p.mineCommand(), p.planCommand(),
		p.statusCommand(), p.doctorCommand(), p.resyncCommand(), p.pruneCommand(), p.eventsCommand(),
		p.logsCommand(), p.sendCommand(), p.listenCommand(),
		p.uiCommand(),
	)
	p.addCompletions(root)
	return root
}

// restConfig says how the API server is reached with the caller's rights.
func (p *plugin) restConfig() (*rest.Config, error) {
	config, err := p.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to ask: %w", err)
	}
	config.QPS, config.Burst = requestsPerSecond, requestsAtOnce
	config.UserAgent = "kubectl-clerk/" + p.Version
	return config, nil
}

// client is one with the caller's rights. What kinds there are it knows by itself, so nothing has to be discovered.
func (p *plugin) client() (client.Client, error) {
	config, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme, Mapper: newMapper()})
}

func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for kind := range scheme.AllKnownTypes() {
		mapper.Add(kind, scopeOf(kind))
	}
	mapper.Add(crdKind, meta.RESTScopeRoot)
	return mapper
}

// crdKind is read without its content.
var crdKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// clusterScoped are the kinds of Kubernetes that are read here and are in no namespace.
var clusterScoped = map[string]bool{
	"Namespace": true, "ClusterRole": true, "ClusterRoleBinding": true,
	"SubjectAccessReview": true, "SelfSubjectAccessReview": true, "SelfSubjectReview": true,
}

func scopeOf(kind schema.GroupVersionKind) meta.RESTScope {
	if kind.Group == v1alpha1.GroupVersion.Group || clusterScoped[kind.Kind] {
		return meta.RESTScopeRoot
	}
	return meta.RESTScopeNamespace
}
