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
	"net"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// Values of --relay.
const (
	// relayAuto: Clerk's command line is started where it is installed.
	relayAuto = "auto"

	// relayNever: it is not.
	relayNever = "never"
)

// defaultListenPort is the receiver's own, which the documentation has people name everywhere.
const defaultListenPort = 8090

// Whoever is on this machine can connect. What they can cost is bounded here.
const (
	// maxListenConnections is how many connections there may be; each can hold a body of maxDelivery.
	maxListenConnections = 32

	// maxDelivery bounds a delivery's body, in bytes, as the receiver does.
	maxDelivery = 2 << 20

	// maxListenHeader bounds a request's headers, in bytes: more than the receiver takes, so that it is the one to refuse.
	maxListenHeader = 32 << 10

	// listenReadTimeout is how long a delivery may take to arrive: it comes from this machine.
	listenReadTimeout = 15 * time.Second

	// listenIdleTimeout is how long a connection may wait for its next delivery.
	listenIdleTimeout = 75 * time.Second

	// listenDrain is how long deliveries may take that are on their way when it ends.
	listenDrain = 5 * time.Second
)

// listenOptions are the flags of listen.
type listenOptions struct {
	relay, url, operatorNamespace string

	port uint16
}

func (p *plugin) listenCommand() *cobra.Command {
	var options listenOptions
	command := &cobra.Command{
		Use:   "listen [INSTANCE]",
		Short: "Take deliveries on this machine, and forward them to the operator in the cluster",
		Long: "Take deliveries at a port of this machine's loopback, and forward them to the operator's Service, until Ctrl-C: for a cluster\n" +
			"that Clerk cannot reach. Where Clerk's command line is installed (clerk), its relay is started, which brings deliveries here;\n" +
			"else the command to start it is printed. Deliveries are passed on as they came; the operator checks their signatures. Each is\n" +
			"told in a line: when it came, what was answered, its id, how long it took.\n\n" +
			"INSTANCE is a ClerkInstance; it may be left out where there is only one. When the pod goes away, another is taken.\n\n" +
			"Exit code: 0 it listened until you ended it, 1 it could not.",
		Example: "  kubectl clerk listen\n" +
			"  kubectl clerk listen default --port 8091 --relay never",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return p.listen(command.Context(), args, &options) },
	}
	flags := command.Flags()
	flags.Uint16Var(&options.port, "port", defaultListenPort, "Port of 127.0.0.1; 0 is any that is free.")
	flags.StringVar(&options.relay, "relay", relayAuto,
		"Whether to start the relay of Clerk's command line: auto (where it is installed) or never.")
	flags.StringVar(&options.url, "url", "", "Where to deliver, such as https://HOST/webhooks/INSTANCE; by default the operator's Service.")
	flags.StringVar(&options.operatorNamespace, "operator-namespace", "", "The operator's namespace; where its Service is, by default.")
	return command
}

func (p *plugin) listen(ctx context.Context, args []string, options *listenOptions) error {
	switch {
	case p.output != "":
		return errors.New("listen tells what comes as it comes: leave -o out")
	case options.relay != relayAuto && options.relay != relayNever:
		return fmt.Errorf("--relay is auto or never, not %q", options.relay)
	}
	if err := p.checkOutput(); err != nil {
		return err
	}
	target, err := p.listenTarget(ctx, args, options)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(int(options.port))))
	if err != nil {
		return fmt.Errorf("no place to listen: %w: try another --port", err)
	}
	defer func() { _ = listener.Close() }() // Serve closes it
	group, stopping := errgroup.WithContext(ctx)
	d := &deliveries{
		plugin: p, out: &sharedWriter{out: p.Streams.Out}, colored: p.colored(p.Streams.Out), told: map[int]bool{},
	}
	way, err := d.way(stopping, target)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := d.server(way)
	group.Go(func() error {
		if err := server.Serve(netutil.LimitListener(listener, maxListenConnections)); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("take deliveries: %w", err)
		}
		return nil
	})
	address := "http://" + listener.Addr().String() + target.path
	d.say("Deliveries for the ClerkInstance %s come in at %s", path.Base(target.path), address)
	d.say("  go to  %s", target.describe())
	relayed := d.relay(stopping, options.relay, address)
	d.say("Ctrl-C ends it.")
	group.Go(func() error {
		<-stopping.Done()
		<-relayed
		draining, cancel := context.WithTimeout(context.Background(), listenDrain)
		defer cancel()
		if server.Shutdown(draining) != nil {
			return server.Close() // whoever hears no answer tries again
		}
		return nil
	})
	return group.Wait()
}

// listenTarget finds whom deliveries are for, and where they go. Nothing is signed here: where both are given, no cluster is asked.
func (p *plugin) listenTarget(ctx context.Context, args []string, options *listenOptions) (*target, error) {
	wanted := &sendOptions{url: options.url, dryRun: true, operatorNamespace: options.operatorNamespace}
	if len(args) > 0 {
		wanted.instance = args[0]
		return p.findTarget(ctx, wanted)
	}
	cluster, err := p.client()
	if err != nil {
		return nil, err
	}
	instance, err := instanceNamed(ctx, cluster, nil)
	if err != nil {
		return nil, err
	}
	wanted.instance = instance.Name
	return p.findTarget(ctx, wanted)
}
