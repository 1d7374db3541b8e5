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

// Package write changes objects: within a time, exactly those that were seen, and statuses after access.
package write

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// FieldOwner is the operator in managed fields.
const FieldOwner = client.FieldOwner("clerk-operator")

const (
	// writeTimeout bounds a write. The API server answers within milliseconds, or says within seconds that it cannot; one that does neither
	// must not keep a worker, and whoever waits for it.
	writeTimeout = 10 * time.Second

	// statusTimeout bounds the write of a status: it comes after access, and the next change of access may wait for it.
	statusTimeout = 3 * time.Second

	// ownWritePatience is how long the object of a reconciliation is waited for in the state that this process wrote it last.
	ownWritePatience = 200 * time.Millisecond
)

// Client reads from the cache as it is and gives up on a write that hangs. What decides about access is read by it: a manager's own
// client waits until its writes have come back, those of any field of any object of a kind among them.
type Client struct {
	client.Client
	cache client.Reader
}

// NewClient returns a Client that writes as a manager does and reads from its cache.
func NewClient(m manager.Manager) Client {
	return Client{Client: m.GetClient(), cache: m.GetCache()}
}

// Get reads from the cache.
func (c Client) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return c.cache.Get(ctx, key, object, options...)
}

// List reads from the cache.
func (c Client) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return c.cache.List(ctx, list, options...)
}

// Create writes, for a while.
func (c Client) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.Client.Create(ctx, object, options...)
}

// Delete writes, for a while.
func (c Client) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.Client.Delete(ctx, object, options...)
}

// Patch writes, for a while.
func (c Client) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.Client.Patch(ctx, object, patch, options...)
}

// Apply writes, for a while.
func (c Client) Apply(ctx context.Context, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.Client.Apply(ctx, object, options...)
}

// Status writes statuses, for a while.
func (c Client) Status() client.SubResourceWriter { return promptStatus{c.Client.Status()} }

type promptStatus struct{ client.SubResourceWriter }

// Apply writes, for a while.
func (s promptStatus) Apply(ctx context.Context, object runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return s.SubResourceWriter.Apply(ctx, object, options...)
}

// OwnWrites reads the object of a reconciliation: as this process wrote it last, so that no status is computed from an older one, but it
// waits only a little for that.
type OwnWrites struct{ client.Client }

// Get waits a little for the writes of this process to be in the cache.
func (c OwnWrites) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	waiting, cancel := context.WithTimeout(ctx, ownWritePatience)
	defer cancel()
	err := c.Client.Get(waiting, key, object, options...)
	if waiting.Err() == nil || ctx.Err() != nil {
		return err
	}
	return c.Client.Get(ctx, key, object, append(options, client.DisableReadYourWritesConsistency)...)
}

// NameOf is the metadata by which an object is named, and no more.
func NameOf(object client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: object.GetName(), Namespace: object.GetNamespace()}
}
