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
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// receiverPort is the name of the port of the operator's Service and pods at which deliveries come in.
const receiverPort = "receiver"

// loopback is where ports are forwarded to: nobody but this machine reaches it.
const loopback = "127.0.0.1"

// operatorAt is where the operator runs.
type operatorAt struct {
	reader client.Client
	config *rest.Config

	// cluster is the API server's address.
	cluster string

	namespace, service string
	selector           map[string]string

	// tls: the receiver speaks HTTPS by itself.
	tls bool
}

// search says how the operator is looked for.
type search struct {
	// namespace is the operator's; where nothing is said, it is where its Service can be seen.
	namespace string

	// optional: no Service that can be seen is no error.
	optional bool

	// instead is what else the caller can do, as the end of a sentence.
	instead string
}

// orURL is what who delivers can do without the operator's Service.
const orURL = ", or deliver to --url"

// findOperator finds the operator's namespace and its Service.
func (p *plugin) findOperator(ctx context.Context, cluster client.Client, where search) (*operatorAt, error) {
	config, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	found := &operatorAt{reader: cluster, config: config, cluster: config.Host, namespace: where.namespace}
	var services corev1.ServiceList
	err = cluster.List(ctx, &services, operatorLabel, client.InNamespace(where.namespace))
	if apierrors.IsForbidden(err) && where.namespace == "" {
		err = cluster.List(ctx, &services, operatorLabel, client.InNamespace(defaultNamespace))
	}
	candidates := receivers(services.Items)
	found.namespace = cmp.Or(found.namespace, defaultNamespace)
	switch {
	case len(candidates) == 1:
		found.use(candidates[0])
		return found, nil
	case len(candidates) > 1:
		// Who may make Services in their own namespace must not be taken for the operator.
		return nil, fmt.Errorf("the Services %s all look like the operator's: name its namespace with --operator-namespace",
			strings.Join(namesOf(candidates), " and "))
	case where.optional:
		return found, nil
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("you may not list services in the namespace %s: ask for that right%s", found.namespace, where.instead)
	case err != nil:
		return nil, fmt.Errorf("look for the operator's Service: %w", err)
	}
	return nil, errors.New("no Service of the operator's can be seen: install the operator, or name its namespace with --operator-namespace" +
		where.instead)
}

// receivers are those of Services that lead to an operator's receiver.
func receivers(services []corev1.Service) []*corev1.Service {
	var found []*corev1.Service
	for i := range services {
		service := &services[i]
		if len(service.Spec.Selector) > 0 && slices.ContainsFunc(service.Spec.Ports, isReceiver) {
			found = append(found, service)
		}
	}
	return found
}

func isReceiver(port corev1.ServicePort) bool { return port.Name == receiverPort }

func namesOf(services []*corev1.Service) []string {
	names := make([]string, len(services))
	for i, service := range services {
		names[i] = service.Namespace + "/" + service.Name
	}
	return names
}

// use has the operator be where a Service of its receiver leads.
func (o *operatorAt) use(service *corev1.Service) {
	o.namespace, o.service, o.selector = service.Namespace, service.Name, service.Spec.Selector
	port := service.Spec.Ports[slices.IndexFunc(service.Spec.Ports, isReceiver)]
	o.tls = port.AppProtocol != nil && *port.AppProtocol == "https"
}

// pods are those of the Service. The right is what the caller needs besides, to do with them what is to be done.
func (o *operatorAt) pods(ctx context.Context, right string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := o.reader.List(ctx, &pods, client.InNamespace(o.namespace), client.MatchingLabels(o.selector))
	switch {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("you may not list pods in the namespace %s: ask for the verb list on pods, and %s", o.namespace, right)
	case err != nil:
		return nil, fmt.Errorf("look for the operator's pods: %w", err)
	}
	return pods.Items, nil
}

// toForward is the right to forward a port.
const toForward = "create on pods/portforward"

// pod is a pod of the Service that is ready, and its port: another than the one to avoid, if there is one.
func (o *operatorAt) pod(ctx context.Context, avoid string) (name string, port int32, err error) {
	pods, err := o.pods(ctx, toForward)
	if err != nil {
		return "", 0, err
	}
	for i := range pods {
		pod := &pods[i]
		container := receiverOf(pod)
		if container == nil || pod.DeletionTimestamp != nil || !isReady(pod) {
			continue
		}
		at := container.Ports[slices.IndexFunc(container.Ports, isReceiverPort)]
		name, port = pod.Name, at.ContainerPort
		if name != avoid {
			break
		}
	}
	if name == "" {
		return "", 0, fmt.Errorf("no pod of the Service %s/%s is ready: kubectl clerk doctor says why", o.namespace, o.service)
	}
	return name, port, nil
}

// receiverOf is the container of a pod in which the operator runs.
func receiverOf(pod *corev1.Pod) *corev1.Container {
	for i := range pod.Spec.Containers {
		if slices.ContainsFunc(pod.Spec.Containers[i].Ports, isReceiverPort) {
			return &pod.Spec.Containers[i]
		}
	}
	return nil
}

func isReceiverPort(port corev1.ContainerPort) bool { return port.Name == receiverPort }

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// forwarded is a local port that leads to a pod.
type forwarded struct {
	pod, address string
	tls          bool

	// ended is closed once it leads nowhere any more.
	ended  chan struct{}
	cancel context.CancelFunc
}

func (f *forwarded) url() string {
	if f.tls {
		return "https://" + f.address
	}
	return "http://" + f.address
}

func (f *forwarded) close() {
	f.cancel()
	<-f.ended
}

// forward forwards a free local port to a pod of the operator's, with the caller's rights: to another than the one to avoid, if there is
// one.
func (o *operatorAt) forward(ctx context.Context, avoid string) (*forwarded, error) {
	pod, port, err := o.pod(ctx, avoid)
	if err != nil {
		return nil, err
	}
	dialer, err := o.dialer(pod)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan struct{})
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{loopback},
		[]string{fmt.Sprintf(":%d", port)}, ready, io.Discard, io.Discard)
	if err != nil {
		cancel()
		return nil, err
	}
	found := &forwarded{pod: pod, tls: o.tls, ended: make(chan struct{}), cancel: cancel}
	var failure error
	go func() {
		defer close(found.ended)
		failure = forwarder.ForwardPorts()
	}()
	select {
	case <-ready:
	case <-ctx.Done():
		cancel()
		return nil, context.Cause(ctx)
	case <-found.ended:
		cancel()
		return nil, fmt.Errorf("forward a port to the pod %s/%s, which takes the right to create pods/portforward there: %w",
			o.namespace, pod, failure)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		found.close()
		return nil, err
	}
	found.address = net.JoinHostPort(loopback, strconv.Itoa(int(ports[0].Local)))
	return found, nil
}

// dialer reaches a pod as kubectl does: by a WebSocket, or by SPDY where the API server or something before it does not know that.
func (o *operatorAt) dialer(pod string) (httpstream.Dialer, error) {
	core, err := corev1client.NewForConfig(o.config)
	if err != nil {
		return nil, err
	}
	address := core.RESTClient().Post().Resource("pods").Namespace(o.namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(o.config)
	if err != nil {
		return nil, err
	}
	bySPDY := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, address)
	byWebSocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, o.config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(byWebSocket, bySPDY, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}
