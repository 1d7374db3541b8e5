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

package main

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// benchSink is a ClerkSink that the benchmark delivers to.
type benchSink struct {
	clerktest.Sender
	remove func()
}

// addSink makes a ClerkSink, and returns once the replica takes deliveries to it.
func (b *bench) addSink(ctx context.Context, name string, change func(*v1alpha1.ClerkSinkSpec)) (*benchSink, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: "sink-" + name},
		StringData: map[string]string{"endpoint": clerktest.NewSecret()},
	}
	sink := &v1alpha1.ClerkSink{ObjectMeta: metav1.ObjectMeta{Name: name}}
	sink.Spec.InstanceRef.Name = operatorproc.Instance
	sink.Spec.Webhook.SigningSecretRef.Name = secret.Name
	change(&sink.Spec)
	made := &benchSink{
		Sender: clerktest.Sender{URL: b.replica.URL(operatorproc.Instance) + "/sinks/" + name, Secret: secret.StringData["endpoint"]},
		remove: func() {
			for _, object := range []client.Object{sink, secret} {
				_ = b.administrator.Delete(context.WithoutCancel(ctx), object) // all of it goes with the control plane at the latest
			}
		},
	}
	for _, object := range []client.Object{secret, sink} {
		if err := b.administrator.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("make the ClerkSink %s: %w", name, err)
		}
	}
	return made, until(ctx, "the sink "+name+" is known", askSinksAgain, func(ctx context.Context) (bool, error) {
		// A body that is no event is refused only after the sink and its secret are known, and is handed on to nobody.
		status, _, err := made.Send(ctx, clerktest.Delivery{ID: clerktest.RandomID("msg"), Body: []byte("{}")})
		return status == http.StatusBadRequest || status == http.StatusUnprocessableEntity, err
	})
}
