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

// Package environment keeps a ClerkInstance to one Clerk environment: the one that its spec names, or else the one heard of first, whether
// by an event or by an API key. Nothing of another environment is mirrored, and no key of another lists anything.
package environment

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

// fieldOwner is the field manager of status.instanceID, on every replica.
const fieldOwner = client.FieldOwner("clerk-operator-environment")

// OtherError says that something is of another environment than a ClerkInstance.
type OtherError struct {
	// Want is the environment of the ClerkInstance, Got the other.
	Want, Got string

	// Named says that spec.instanceID names Want; else it was heard of first.
	Named bool
}

// Error implements error.
func (e *OtherError) Error() string {
	by := "the ClerkInstance was first heard of from"
	if e.Named {
		by = "spec.instanceID names"
	}
	return fmt.Sprintf("it is of the Clerk environment %s, but %s %s", e.Got, by, e.Want)
}

// Check returns an OtherError if an id is known not to be that of a ClerkInstance's environment.
func Check(instance *v1alpha1.ClerkInstance, id string) error {
	want, named := instance.Spec.InstanceID, true
	if want == "" {
		want, named = instance.Status.InstanceID, false
	}
	if want == "" || want == id {
		return nil
	}
	return &OtherError{Want: want, Got: id, Named: named}
}

// Pinner writes down the environment of ClerkInstances. The first who writes wins: the API server refuses a second environment, whichever
// replica it comes from.
type Pinner struct {
	client client.Client

	mu     sync.Mutex
	pinned map[types.UID]string
}

// NewPinner returns a Pinner. Its client reads from the API server itself: what another replica has just written counts.
func NewPinner(live client.Client) *Pinner {
	return &Pinner{client: live, pinned: map[types.UID]string{}}
}

// Pin makes sure that a ClerkInstance is of an environment, and writes that down if it is the first. It returns an OtherError if it is not;
// any other error is worth another attempt.
func (p *Pinner) Pin(ctx context.Context, instance *v1alpha1.ClerkInstance, id string) error {
	if err := Check(instance, id); err != nil {
		return err
	}
	if instance.Status.InstanceID == id || p.known(instance.UID) == id {
		return nil
	}
	err := p.write(ctx, instance, id)
	if apierrors.IsInvalid(err) {
		return p.second(ctx, instance, id, err)
	}
	if err != nil {
		return fmt.Errorf("write down the environment of ClerkInstance %s: %w", instance.Name, err)
	}
	p.remember(instance.UID, id)
	return nil
}

func (p *Pinner) write(ctx context.Context, instance *v1alpha1.ClerkInstance, id string) error {
	status := clerkac.ClerkInstanceStatus().WithInstanceID(id)
	return p.client.Status().Apply(ctx, clerkac.ClerkInstance(instance.Name).WithUID(instance.UID).WithStatus(status),
		fieldOwner, client.ForceOwnership)
}

// second looks at what somebody else wrote first.
func (p *Pinner) second(ctx context.Context, instance *v1alpha1.ClerkInstance, id string, refusal error) error {
	var live v1alpha1.ClerkInstance
	if err := p.client.Get(ctx, client.ObjectKeyFromObject(instance), &live); err != nil {
		return fmt.Errorf("read the environment of ClerkInstance %s: %w", instance.Name, err)
	}
	if err := Check(&live, id); err != nil {
		return err
	}
	if live.Status.InstanceID == id {
		return nil
	}
	return fmt.Errorf("write down the environment of ClerkInstance %s: %w", instance.Name, refusal)
}

// known is what this process wrote down and its cache may not show yet.
func (p *Pinner) known(uid types.UID) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pinned[uid]
}

func (p *Pinner) remember(uid types.UID, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pinned[uid] = id
}
