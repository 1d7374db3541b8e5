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
	"fmt"
	"net"
	"strconv"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kubectl/ui"
)

func (p *plugin) uiCommand() *cobra.Command {
	var port uint16
	command := &cobra.Command{
		Use:   "ui",
		Short: "Serve a page to look at, for yourself alone",
		Long: "Serve a page that shows organizations, what they have, one person's access everywhere and why, and ClerkInstances, as they\n" +
			"change. It is served on this machine's loopback until Ctrl-C, with your own rights, and changes nothing. Whoever has the\n" +
			"printed address sees what you may see: give it to nobody.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return p.serveUI(command.Context(), port) },
	}
	command.Flags().Uint16Var(&port, "port", 0, "Port of 127.0.0.1; 0 is any that is free.")
	return command
}

func (p *plugin) serveUI(ctx context.Context, port uint16) error {
	log.SetLogger(logr.Discard()) // controller-runtime's, which would complain after half a minute that it has none
	config, err := p.restConfig()
	if err != nil {
		return err
	}
	cluster, err := client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: newMapper()})
	if err != nil {
		return err
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(int(port))))
	if err != nil {
		return fmt.Errorf("no place for the page: %w: try another --port", err)
	}
	defer func() { _ = listener.Close() }() // Serve closes it
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	more := []listing{{list: &v1alpha1.ClerkSinkList{}}, {list: &v1alpha1.ClerkDatabaseList{}}}
	world, err := follow(ctx, cluster, mirrored(), bound(), everywhere(), more)
	if err != nil {
		return err
	}
	server, err := ui.NewServer(listener.Addr(), &pageSource{live: world, context: p.contextName(), now: p.Now})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Streams.Out, "The page is at %s\n"+
		"Whoever has this address sees what you may see: give it to nobody. Ctrl-C ends it.\n", server.URL())
	return server.Serve(ctx, listener)
}

// contextName is what the kubeconfig calls the cluster that is shown; empty if nothing.
func (p *plugin) contextName() string {
	if p.config.Context != nil && *p.config.Context != "" {
		return *p.config.Context
	}
	known, err := p.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return ""
	}
	return known.CurrentContext
}
