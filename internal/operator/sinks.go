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

package operator

import (
	"context"
	"fmt"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	sinkcontroller "github.com/clerk-operator/clerk-operator/internal/controller/sink"
	"github.com/clerk-operator/clerk-operator/internal/sink"
)

const (
	// tokenLifetime is how long a token of the ServiceAccount is asked for.
	tokenLifetime = time.Hour

	// tokenSlack is how long before its end a token is made anew.
	tokenSlack = 10 * time.Minute
)

// addSinks adds what hands events on: the sinks themselves and their notes on every replica, their conditions on the elected one.
func addSinks(mgr ctrl.Manager, c Config) (*sink.Dispatcher, *sinkcontroller.Notes, error) {
	options := sink.Options{Reader: mgr.GetCache(), Namespace: c.Namespace, AllowLocal: c.SinkAllowLocalTargets, Now: time.Now}
	if c.ServiceAccount != "" {
		tokens := &tokens{client: mgr.GetClient(), namespace: c.Namespace, name: c.ServiceAccount, made: map[string]token{}}
		options.Token = tokens.of
	}
	sinks, notes := sink.New(options), sinkcontroller.NewNotes(mgr.GetClient())
	if err := mgr.Add(sinks); err != nil {
		return nil, nil, err
	}
	if err := mgr.Add(notes); err != nil {
		return nil, nil, err
	}
	reconciler := &sinkcontroller.Reconciler{Client: mgr.GetClient(), Sinks: sinks, Namespace: c.Namespace, Now: time.Now}
	if err := reconciler.Setup(mgr); err != nil {
		return nil, nil, fmt.Errorf("set up the sink controller: %w", err)
	}
	return sinks, notes, nil
}

// tokens makes tokens of the operator's own ServiceAccount, one for each audience, and keeps them for most of their life.
type tokens struct {
	client          client.Client
	namespace, name string

	mu   sync.Mutex
	made map[string]token
}

type token struct {
	value string
	until time.Time
}

func (t *tokens) of(ctx context.Context, audience string) (string, error) {
	t.mu.Lock()
	known := t.made[audience]
	t.mu.Unlock()
	if time.Now().Before(known.until) {
		return known.value, nil
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{audience}, ExpirationSeconds: new(int64(tokenLifetime / time.Second)),
	}}
	if err := t.client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("make a token of the ServiceAccount %s: %w", t.name, err)
	}
	fresh := token{value: request.Status.Token, until: request.Status.ExpirationTimestamp.Add(-tokenSlack)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made[audience] = fresh
	return fresh.value, nil
}
