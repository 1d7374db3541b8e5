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
	"net/netip"
	"net/url"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// webhookPath is what comes before a ClerkInstance's name in the path of its deliveries.
const webhookPath = "/webhooks/"

// target is where a delivery goes.
type target struct {
	*plugin
	path string

	// url is where, if it does not go to the operator's Service.
	url *url.URL

	// instance is nil where the cluster is not asked: the URL and the secret were given.
	instance *v1alpha1.ClerkInstance
	operator *operatorAt
}

func (t *target) mode() v1alpha1.InstanceMode {
	if t.instance == nil {
		return ""
	}
	return t.instance.Spec.Mode
}

// describe says where a delivery goes.
func (t *target) describe() string {
	if t.url != nil {
		return t.url.String()
	}
	return fmt.Sprintf("the Service %s/%s of %s, through a forwarded port", t.operator.namespace, t.operator.service, t.operator.cluster)
}

// signedWith says where the signing secret comes from. With --url that need not be the cluster that hears the delivery.
func (t *target) signedWith(options *sendOptions) string {
	switch {
	case options.secretFile != "":
		return "the secret in " + options.secretFile
	case os.Getenv(secretVariable) != "":
		return "the secret in $" + secretVariable
	case t.instance == nil:
		return "the Secret of that ClerkInstance in " + t.contextTold()
	}
	return fmt.Sprintf("the Secret %s/%s in %s", t.operator.namespace, t.instance.Spec.Webhook.SigningSecretRef.Name, t.contextTold())
}

// contextTold names the cluster of the kubeconfig.
func (p *plugin) contextTold() string {
	set := func(flag *string) bool { return flag != nil && *flag != "" }
	name := p.contextName()
	if config, err := p.restConfig(); err == nil && (name == "" || set(p.config.ClusterName) || set(p.config.APIServer)) {
		return "the cluster at " + config.Host
	}
	return "the context " + name
}

// address is what --url says, if a signed delivery of the ClerkInstance may go there.
func (t *target) address(options *sendOptions) (*url.URL, error) {
	address, err := url.Parse(options.url)
	switch {
	case err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http":
		return nil, fmt.Errorf("--url %q is no address of a web server", options.url)
	case address.Path != t.path:
		return nil, fmt.Errorf("--url has the path %q, and deliveries of the ClerkInstance %s go to %s: name the one that you mean",
			address.Path, options.instance, t.path)
	case address.User != nil:
		return nil, errors.New("--url holds a name or a password: the receiver asks for neither")
	case address.Scheme == "http" && !isLoopback(address.Hostname()):
		return nil, errors.New("--url is no https: whoever reads a signed delivery on its way can send it again")
	}
	return address, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// findTarget finds where a delivery goes. The cluster is asked only for what is not given.
func (p *plugin) findTarget(ctx context.Context, options *sendOptions) (*target, error) {
	t := &target{plugin: p, path: webhookPath + options.instance}
	if options.url != "" {
		address, err := t.address(options)
		if err != nil {
			return nil, err
		}
		t.url = address
		if options.hasSecret() || options.dryRun {
			return t, nil
		}
	}
	cluster, err := p.client()
	if err != nil {
		return nil, err
	}
	instance := &v1alpha1.ClerkInstance{}
	err = cluster.Get(ctx, client.ObjectKey{Name: options.instance}, instance)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("there is no ClerkInstance %q: kubectl get clerkinstances lists them", options.instance)
	case apierrors.IsForbidden(err):
		return nil, errors.New("you may not read clerkinstances.clerk-operator.io: ask for the ClusterRole clerk-operator-viewer")
	case err != nil:
		return nil, fmt.Errorf("read the ClerkInstance %s: %w", options.instance, err)
	case instance.Spec.Webhook.SigningSecretRef.Name == "":
		return nil, fmt.Errorf("the ClerkInstance %s hears no deliveries: give it a signing secret in spec.webhook", options.instance)
	}
	t.instance = instance
	t.operator, err = p.findOperator(ctx, cluster, search{namespace: options.operatorNamespace, optional: t.url != nil, instead: orURL})
	return t, err
}
