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

package write

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Delete deletes an object, if it is still the one that was seen, whatever changed of it. That it is gone is no error.
func Delete(ctx context.Context, c client.Client, object client.Object) error {
	err := c.Delete(ctx, object, client.Preconditions{UID: new(object.GetUID())}, client.DisableReadYourWritesConsistency)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// DeleteUnchanged deletes an object, if it still is exactly as it was seen; else the error is a conflict.
func DeleteUnchanged(ctx context.Context, c client.Client, object client.Object) error {
	return c.Delete(ctx, object, client.Preconditions{
		UID: new(object.GetUID()), ResourceVersion: new(object.GetResourceVersion()),
	}, client.DisableReadYourWritesConsistency)
}

// PatchUnchanged changes an object by a merge patch, if it still is exactly as it was seen; else the error is a conflict. What comes of it
// is read into changed, which has the object's name alone.
func PatchUnchanged(ctx context.Context, c client.Client, seen, changed client.Object, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	metadata["resourceVersion"], metadata["uid"] = seen.GetResourceVersion(), seen.GetUID()
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return c.Patch(ctx, changed, client.RawPatch(types.MergePatchType, patch), FieldOwner, client.DisableReadYourWritesConsistency)
}

// Configuration is what server-side apply takes, of any kind.
type Configuration interface {
	runtime.ApplyConfiguration
	GetKind() *string
	GetName() *string
}

// Status applies the status of an object. That the object is gone is no error.
func Status(ctx context.Context, c client.Client, status Configuration) error {
	err := c.Status().Apply(ctx, status, FieldOwner, client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of %s %s: %w", *status.GetKind(), *status.GetName(), err)
	}
	return nil
}
