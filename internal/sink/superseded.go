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

package sink

import (
	"context"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// known is what is mirrored of an entity.
type known struct {
	instance, id         string
	updatedAt, deletedAt *metav1.MicroTime
}

// mirrored reads what is mirrored of an entity, by the first part of the event's type.
var mirrored = map[string]func(ctx context.Context, reader client.Reader, key client.ObjectKey) (known, error){
	"organization": func(ctx context.Context, reader client.Reader, key client.ObjectKey) (known, error) {
		var object v1alpha1.ClerkOrganization
		err := reader.Get(ctx, key, &object)
		return known{object.Spec.Instance, object.Spec.ID, object.Spec.UpdatedAt, object.Spec.DeletedAt}, err
	},
	"organizationMembership": func(ctx context.Context, reader client.Reader, key client.ObjectKey) (known, error) {
		var object v1alpha1.ClerkMember
		err := reader.Get(ctx, key, &object)
		return known{object.Spec.Instance, object.Spec.ID, object.Spec.UpdatedAt, object.Spec.DeletedAt}, err
	},
	"user": func(ctx context.Context, reader client.Reader, key client.ObjectKey) (known, error) {
		var object v1alpha1.ClerkUser
		err := reader.Get(ctx, key, &object)
		return known{object.Spec.Instance, object.Spec.ID, object.Spec.UpdatedAt, object.Spec.DeletedAt}, err
	},
	"role": func(ctx context.Context, reader client.Reader, key client.ObjectKey) (known, error) {
		var object v1alpha1.ClerkRole
		err := reader.Get(ctx, key, &object)
		return known{object.Spec.Instance, object.Spec.ID, object.Spec.UpdatedAt, object.Spec.DeletedAt}, err
	},
	"permission": func(ctx context.Context, reader client.Reader, key client.ObjectKey) (known, error) {
		var object v1alpha1.ClerkPermission
		err := reader.Get(ctx, key, &object)
		return known{object.Spec.Instance, object.Spec.ID, object.Spec.UpdatedAt, object.Spec.DeletedAt}, err
	},
}

// superseded tells whether newer than the event is mirrored already, or a deletion. Nil where nobody can tell: of a kind that is not
// mirrored, and of an event without a time of update. What is mirrored comes from the cache, and costs no request.
func superseded(ctx context.Context, reader client.Reader, instance string, event *Event) *bool {
	entity, _, _ := strings.Cut(event.Type, ".")
	read := mirrored[entity]
	if read == nil || event.Subject == "" || !event.Deletion() && event.UpdatedAt.IsZero() {
		return nil
	}
	if event.Deletion() {
		return new(false)
	}
	object, err := read(ctx, reader, client.ObjectKey{Name: v1alpha1.ObjectName(instance, event.Subject)})
	if client.IgnoreNotFound(err) != nil {
		return nil
	}
	if err != nil || object.instance != instance || object.id != event.Subject {
		return new(false)
	}
	return new(object.deletedAt != nil || object.updatedAt != nil && object.updatedAt.After(event.UpdatedAt))
}
