//go:build linux

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

package node

import (
	"context"
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// clusterDomain ends the names of Services.
	clusterDomain = "cluster.local"
	// dnsMessageSize is the largest message over UDP that a client has to understand, in bytes.
	dnsMessageSize = 512
	// dnsTTL is how long an answer may be kept, in seconds.
	dnsTTL = 5
)

// startDNS is the cluster's DNS, in the place of CoreDNS: it knows the Services with an address, and nothing else. It ends with the box.
func (n *Node) startDNS(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(n.cp.Config())
	if err != nil {
		return err
	}
	socket, err := new(net.ListenConfig).ListenPacket(ctx, "udp", net.JoinHostPort(Address, "53"))
	if err != nil {
		return fmt.Errorf("serve the cluster's DNS: %w", err)
	}
	go func() {
		buffer := make([]byte, dnsMessageSize)
		for {
			length, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer, err := answerDNS(ctx, client, buffer[:length]); err == nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
	return nil
}

// answerDNS answers a query of one question; an error means that it is not answered.
func answerDNS(ctx context.Context, client kubernetes.Interface, query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	if len(message.Questions) != 1 {
		return nil, fmt.Errorf("%d questions", len(message.Questions))
	}
	question := message.Questions[0]
	answer := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: message.ID, Response: true, Authoritative: true, RecursionDesired: message.RecursionDesired},
		Questions: message.Questions,
	}
	address, err := serviceAddress(ctx, client, question.Name.String())
	switch {
	case err != nil:
		return nil, err
	case address == nil:
		answer.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: dnsTTL}
		answer.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte(address)}}}
	}
	return answer.Pack()
}

// serviceAddress is the address of the Service of a name such as "clerk-operator.clerk-operator-system.svc.cluster.local."; nil where there
// is none.
func serviceAddress(ctx context.Context, client kubernetes.Interface, name string) (net.IP, error) {
	service, found := strings.CutSuffix(strings.ToLower(name), ".svc."+clusterDomain+".")
	labels := strings.Split(service, ".")
	if !found || len(labels) != 2 {
		return nil, nil
	}
	object, err := client.CoreV1().Services(labels[1]).Get(ctx, labels[0], metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && object.Spec.ClusterIP == corev1.ClusterIPNone {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return net.ParseIP(object.Spec.ClusterIP).To4(), nil
}
